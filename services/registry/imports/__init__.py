"""Imports: tables of another system, processed together, with a result for every row."""
