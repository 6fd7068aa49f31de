"""Checksums: count and digest of what a service holds, by region, so that two sides can prove that they hold the same."""
