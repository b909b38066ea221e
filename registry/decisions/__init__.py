"""Let staff settle conflicts, adjust days and reverse decisions."""
