"""Explanations, for staff, why a message is not valid, and readable XML."""
