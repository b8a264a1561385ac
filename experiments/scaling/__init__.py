"""Scaling on paper and by count: what a step costs on devices that are not here."""
