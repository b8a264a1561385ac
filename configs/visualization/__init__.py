"""Visualization: what is learned is a picture of what a network sees."""
