"""What every process is built with."""

API = "/api/v1"
"""Prefix of every operation, in the services as at the gateway."""
