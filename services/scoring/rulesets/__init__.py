"""Rulesets: how a village is classed, as published data that one engine interprets."""
