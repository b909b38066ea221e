"""The tables of the common reference: facts, their changes, conflicts, imports, the market and its policies.

Days are stored half-open, `[first, last + 1)`; `registry.periods` converts them to and from inclusive days. A fact is
never deleted, and only its `superseded_by` is ever written after the fact is recorded. A fact is current while
`superseded_by` is null. It was known at a past moment if it was recorded by then and superseded later or not at all.
"""

from registry.models.changes import CURRENT, Change, Fact, FactQuerySet, RevisionPlace
from registry.models.claims import (
    WAITING,
    Claim,
    ClaimStanding,
    CongestionPointConnection,
    Connection,
    Representation,
)
from registry.models.conflicts import OPEN, Conflict
from registry.models.coverage import CongestionPointCoverage, Coverage, CoverageState, share_under
from registry.models.imports import ImportFile, ImportRun
from registry.models.market import Market, Policy, PolicySetting
from registry.models.notices import Notice
from registry.models.points import (
    CongestionPoint,
    CongestionPointEnding,
    CongestionPointTerms,
    RedispatchBy,
)

__all__ = [
    "CURRENT",
    "OPEN",
    "WAITING",
    "Change",
    "Claim",
    "ClaimStanding",
    "Conflict",
    "CongestionPoint",
    "CongestionPointConnection",
    "CongestionPointCoverage",
    "CongestionPointEnding",
    "CongestionPointTerms",
    "Connection",
    "Coverage",
    "CoverageState",
    "Fact",
    "FactQuerySet",
    "ImportFile",
    "ImportRun",
    "Market",
    "Notice",
    "Policy",
    "PolicySetting",
    "RedispatchBy",
    "Representation",
    "RevisionPlace",
    "share_under",
]
