"""What is drawn and not measured: faces and paintings, each the same for the same seed, with the truth about it."""
