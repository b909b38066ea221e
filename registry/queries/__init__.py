"""Read the registry: on a day, as known at a moment."""
