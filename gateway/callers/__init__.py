"""The caller himself."""
