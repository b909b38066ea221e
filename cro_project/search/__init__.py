"""The search box that is on every page, and what it finds."""
