"""The operator's screens for participants, their keys, the mode and the decisions of staff."""

from participants.decision_admin import AuditEntryAdmin
from participants.mode_admin import ModeAdmin
from participants.participant_admin import ParticipantAdmin

__all__ = ["AuditEntryAdmin", "ModeAdmin", "ParticipantAdmin"]
