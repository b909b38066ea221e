"""The worker's process and its sweep."""
