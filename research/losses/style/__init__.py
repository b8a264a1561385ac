"""Losses on activations: what an image keeps of a content, and what it takes on of a style."""
