"""What is computed: pure functions and definitions. See CONTRIBUTING.md for the house."""
