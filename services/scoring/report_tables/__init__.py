"""Tables for reports: the villages of a region by class and by readiness, part by part."""
