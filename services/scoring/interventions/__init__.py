"""Interventions as the interventions service tells of them."""
