"""The screens for what staff decide beforehand, and what the registry adds to the screens of participants."""

from registry import decision_places, participant_cards
from registry.market_admin import MarketAdmin
from registry.policy_admin import PolicyAdmin, PolicySettingAdmin

__all__ = ["MarketAdmin", "PolicyAdmin", "PolicySettingAdmin", "decision_places", "participant_cards"]
