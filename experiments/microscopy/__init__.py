"""What excites the units of a trained network."""
