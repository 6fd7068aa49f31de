"""Assessing all villages of a region anew, as a job that can be followed, cancelled and resumed."""
