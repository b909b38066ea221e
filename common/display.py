"""What screens show in place of a value."""

NOTHING = "–"
"""Shown where there is no value; a CSV file leaves the cell empty."""
