"""The delivery of messages in the outbox: ordering, leases, HTTP, attempts."""
