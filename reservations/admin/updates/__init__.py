"""Show reservation updates, and record their outcome."""
