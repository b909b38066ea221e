"""Take a message at the endpoint: checks, signature, storage."""
