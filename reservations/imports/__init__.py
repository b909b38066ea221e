"""Import contracts from a CSV file."""
