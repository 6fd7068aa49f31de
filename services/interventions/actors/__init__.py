"""Who takes part: government offices and the other pentahelix partners."""
