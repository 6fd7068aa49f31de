"""Hands requests on to the services, byte by byte, and their answers back."""
