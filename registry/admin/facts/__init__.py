"""Screens of facts: terms, memberships and representations."""
