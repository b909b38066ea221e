"""The screens for congestion points and connections."""
