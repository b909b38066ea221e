"""The common reference: what DSOs and AGRs claim, for which days, and when the registry held it for true.

Days are stored half-open, `[first, last + 1)`; `registry.periods` converts to and from the inclusive days of
messages and screens. A fact row is never edited but for `superseded_by`, and never deleted: a row is current while
`superseded_by` is null, and was known at a moment when it was recorded by then and not yet superseded.
"""

from registry.models.changes import CURRENT, Change, Fact, FactQuerySet, RevisionPlace
from registry.models.claims import (
    WAITING,
    Claim,
    CongestionPointConnection,
    Connection,
    Representation,
    Standing,
)
from registry.models.conflicts import OPEN, Conflict
from registry.models.coverage import CongestionPointCoverage, Coverage, CoverageState, share_under
from registry.models.imports import ImportFile, ImportRun
from registry.models.market import Market, Policy, PolicySetting
from registry.models.points import CongestionPoint, CongestionPointTerms, RedispatchBy

__all__ = [
    "CURRENT",
    "OPEN",
    "WAITING",
    "Change",
    "Claim",
    "Conflict",
    "CongestionPoint",
    "CongestionPointConnection",
    "CongestionPointCoverage",
    "CongestionPointTerms",
    "Connection",
    "Coverage",
    "CoverageState",
    "Fact",
    "FactQuerySet",
    "ImportFile",
    "ImportRun",
    "Market",
    "Policy",
    "PolicySetting",
    "RedispatchBy",
    "Representation",
    "RevisionPlace",
    "Standing",
    "share_under",
]
