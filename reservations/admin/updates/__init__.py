"""The screens for reservation updates."""
