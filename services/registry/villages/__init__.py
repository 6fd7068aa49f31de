"""Kampung KB: one active per desa or kelurahan."""
