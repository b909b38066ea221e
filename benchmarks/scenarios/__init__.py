"""The scenarios: what is measured, a module for each kind of message or file."""
