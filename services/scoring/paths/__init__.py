"""The shortest way of a village to a higher class: which indicators, by how much, and what serves it."""
