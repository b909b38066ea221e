"""Screens of the market and the policies."""
