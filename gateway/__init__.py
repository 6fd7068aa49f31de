"""The one public door: who are you, may you, which service."""
