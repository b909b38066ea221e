"""Log-in, lock-out and two-factor authentication."""
