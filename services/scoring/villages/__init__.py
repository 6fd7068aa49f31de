"""Villages as the registry tells of them."""
