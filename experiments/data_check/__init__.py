"""The doctor of data sets: what is wrong with images and their annotations, before a step is trained."""
