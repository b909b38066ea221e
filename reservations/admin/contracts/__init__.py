"""The screens for contracts."""
