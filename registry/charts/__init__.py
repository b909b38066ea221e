"""Draw who holds what over time."""
