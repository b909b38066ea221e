"""Staff accounts and groups."""
