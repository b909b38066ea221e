"""Show staff the contracts and reservation updates, and what of a contract remains reserved."""

from reservations.admin.contracts.admin import ContractAdmin
from reservations.admin.updates.admin import ReservationUpdateAdmin

__all__ = ["ContractAdmin", "ReservationUpdateAdmin"]
