"""FlexReservationUpdates: checks, forwarding, life cycle."""
