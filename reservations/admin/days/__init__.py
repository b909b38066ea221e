"""Show what a contract reserves on a day or in a month, and export it."""
