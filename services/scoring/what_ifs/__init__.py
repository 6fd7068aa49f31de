"""What a village would be classed as if some facts were different; nothing is stored."""
