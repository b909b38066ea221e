"""The screens of flexibility reservations: contracts, and what DSOs leave reserved under them."""

from reservations.admin.contracts.admin import ContractAdmin
from reservations.admin.updates.admin import ReservationUpdateAdmin

__all__ = ["ContractAdmin", "ReservationUpdateAdmin"]
