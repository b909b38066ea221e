"""Show, enter and change contracts."""
