"""Start, watch and stop the processes."""
