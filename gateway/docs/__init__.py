"""The contract of the whole platform, as one document and as a page to read it on."""
