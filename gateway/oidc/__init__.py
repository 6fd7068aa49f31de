"""People who come with a token of their office's own identity provider (OpenID Connect)."""
