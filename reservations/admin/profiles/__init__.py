"""The editor of power profiles."""
