"""Webhooks: which systems want to be told of which events, and where."""
