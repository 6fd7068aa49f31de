"""What is done at the Kampung KB, by whom, and what for."""
