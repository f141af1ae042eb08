"""Environment and options to frozen settings."""
