"""Write the registry's tables as CSV files."""
