"""People of offices without an identity provider of their own: accounts with a password."""
