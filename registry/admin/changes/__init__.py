"""The screens for changes of the registry."""
