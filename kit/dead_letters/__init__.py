"""Events that could not be handled: put aside with their reason, looked at, handled again or discarded.

The same room in every service that consumes events, each over its own database.
"""
