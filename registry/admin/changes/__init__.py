"""Screens of changes of the registry."""
