"""What does not add up in reports: shown, never repaired."""
