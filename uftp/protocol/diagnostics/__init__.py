"""Say in plain words why a message is not valid."""
