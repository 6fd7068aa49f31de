"""The three dated reports of a village."""
