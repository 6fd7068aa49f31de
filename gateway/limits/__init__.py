"""How often who may ask what, and how much the door takes on at all."""
