"""Import CSV files: uploads, lines, their rules, and the runs."""
