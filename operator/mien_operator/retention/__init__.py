"""RetentionPolicy: what is kept how long."""
