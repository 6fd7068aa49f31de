"""Village registry: regions, Kampung KB, their dated reports, findings, imports."""
