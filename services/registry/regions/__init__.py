"""Regions of the Kemendagri code list."""
