"""The screens of flexibility reservations: contracts, and what DSOs leave reserved under them."""

from reservations.admin import audit_links, participant_cards
from reservations.admin.contracts.admin import ContractAdmin
from reservations.admin.updates.admin import ReservationUpdateAdmin

# Each of these modules registers its screens; the first two add to screens of participants.
__all__ = ["ContractAdmin", "ReservationUpdateAdmin", "audit_links", "participant_cards"]
