"""Suites of benchmarks: a module each, whose ``rows(size)`` says what is measured."""
