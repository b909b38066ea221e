"""Settings that need more than a line."""
