"""`likeness report`: runs as one page that opens from the disk."""
