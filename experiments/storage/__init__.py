"""What a run leaves on a disk or in an object store: its working directory, checkpoints, metrics, and where they came from."""
