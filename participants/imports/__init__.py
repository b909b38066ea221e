"""Import participants from a CSV file."""
