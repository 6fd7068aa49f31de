"""What each village was classed as month by month, and what that said before late data came."""
