"""Measurements: each script prints ratios against a peer of the same run. Nothing here is asserted."""
