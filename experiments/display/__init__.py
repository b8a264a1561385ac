"""What people look at: figures, sheets of images, progress, and words for what numbers mean."""
