"""API keys: who may call, in which roles, for which region."""
