"""Scoring: rulesets, facts in force, assessments and their explanations."""
