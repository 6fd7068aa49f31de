"""Reports as the registry tells of them, and which of their answers are in force."""
