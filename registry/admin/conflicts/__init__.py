"""The screens for conflicts and their settling."""
