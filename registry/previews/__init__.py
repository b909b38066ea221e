"""Preview the consequences of a change, and describe those of changes made."""
