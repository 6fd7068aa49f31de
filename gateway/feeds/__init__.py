"""Which feeds of changes there are, so that a client finds its way."""
