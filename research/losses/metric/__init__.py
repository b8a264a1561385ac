"""Losses on embeddings: whom they bring together and whom they push apart."""
