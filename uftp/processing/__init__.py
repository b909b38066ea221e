"""Handle what waits in the inbox, one sender at a time."""
