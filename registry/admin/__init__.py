"""Screens of the common reference: staff view it here; messages, imports and decisions change it."""

from registry.admin.changes.admin import ChangeAdmin, RevisionPlaceAdmin
from registry.admin.conflicts.admin import ConflictAdmin
from registry.admin.facts.admin import CongestionPointTermsAdmin, MembershipAdmin, RepresentationAdmin
from registry.admin.imports.admin import ImportRunAdmin
from registry.admin.market.market import MarketAdmin
from registry.admin.market.policies import PolicyAdmin, PolicySettingAdmin
from registry.admin.notices import NoticeAdmin
from registry.admin.reference.congestion_points import CongestionPointAdmin
from registry.admin.reference.connections import ConnectionAdmin

__all__ = [
    "ChangeAdmin",
    "ConflictAdmin",
    "CongestionPointAdmin",
    "CongestionPointTermsAdmin",
    "ConnectionAdmin",
    "ImportRunAdmin",
    "MarketAdmin",
    "MembershipAdmin",
    "NoticeAdmin",
    "PolicyAdmin",
    "PolicySettingAdmin",
    "RepresentationAdmin",
    "RevisionPlaceAdmin",
]
