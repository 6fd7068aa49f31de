"""Deliveries: each event that a webhook is sent, with every attempt, and those who send them."""
