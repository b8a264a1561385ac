"""Visualization: what is learned is an image of what a network sees."""
