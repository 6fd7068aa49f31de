"""How the platform is started: on one machine without containers (embedded), and by container engines."""
