"""Every village of a region with its scores, indexes and class, as a file that offices open."""
