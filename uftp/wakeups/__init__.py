"""Wake the workers: jobs that say that there is something to do."""
