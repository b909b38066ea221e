"""The worker process and its sweep."""
