"""SIGA's tables: which there are, how they are read, and what they say about a village. Pure: no I/O, no clock."""
