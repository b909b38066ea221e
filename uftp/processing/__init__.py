"""The handling of messages in the inbox, one sender at a time."""
