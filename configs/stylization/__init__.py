"""Style transfer: what is learned is the picture."""
