"""Short-lived access tokens for systems that would rather not send their key with each request."""
