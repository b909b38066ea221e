"""Responses of one line: health, and what is not a page."""
