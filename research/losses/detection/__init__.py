"""Losses of detectors: what is where in an image, and where nothing is."""
