"""Read the registry for a day, as known at a moment."""
