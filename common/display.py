"""What screens show in place of a value."""

PLACEHOLDER = "–"
"""Shown where there is no value; a CSV file leaves the cell empty."""
