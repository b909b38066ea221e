"""Base classes, filters and pages for the admin of every app."""
