"""The screens for the market and the policies."""
