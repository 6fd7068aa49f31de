"""How many villages of a region are in each class."""
