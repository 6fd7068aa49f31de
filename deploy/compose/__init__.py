"""What docker-compose.yml needs besides the platform's processes."""
