"""Send what waits in the outbox: ordering, leases, HTTP, attempts."""
