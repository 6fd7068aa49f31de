"""Names of places as other systems write them, and the official codes they stand for."""
