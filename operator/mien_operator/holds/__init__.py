"""LegalHold: what must be kept, whatever else is said of it."""
