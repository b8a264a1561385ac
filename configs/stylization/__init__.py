"""Style transfer: what is learned is the image."""
