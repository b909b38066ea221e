"""Reservation updates: checks, states, and passing on."""
