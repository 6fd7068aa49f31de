"""Assessments: the class of each village under the ruleset in force, and why."""
