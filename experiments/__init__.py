"""What is run: the only place that owns time, files and devices."""
