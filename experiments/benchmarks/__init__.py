"""Likeness beside its peers, and figures for the documentation: each file is a command that prints or draws what is quoted."""
