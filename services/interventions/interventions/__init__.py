"""Interventions: what was done at a Kampung KB on one day."""
