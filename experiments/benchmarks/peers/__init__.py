"""What other libraries do in a benchmark, as their own documentation writes it, by packages of the extra ``peers``."""
