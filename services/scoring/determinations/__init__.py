"""Determinations (penetapan): a region's classes frozen for a period by a decree, beside the classes that move on."""
