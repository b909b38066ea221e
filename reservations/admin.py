"""The operator's screens of flexibility reservations: contracts, and what DSOs leave reserved under them."""

from reservations import contract_admin, decision_places, participant_cards, update_admin

# Imported for the screens that they register, or add to.
__all__ = ["contract_admin", "decision_places", "participant_cards", "update_admin"]
