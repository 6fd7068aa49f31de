"""What another ruleset would make of the villages of a region: who would change class, and what does it."""
