"""The screens of flexibility reservations: contracts, and what DSOs leave reserved under them."""

from reservations.admin import participant_cards
from reservations.admin.contracts.admin import ContractAdmin
from reservations.admin.updates.admin import ReservationUpdateAdmin

# Each of these modules registers its screens; the last adds to the page of a participant.
__all__ = ["ContractAdmin", "ReservationUpdateAdmin", "participant_cards"]
