"""The screens for imports and uploads."""
