"""What this service knows of the Kampung KB: a projection of the registry's events."""
