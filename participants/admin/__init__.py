"""The operator's screens for participants, their keys, the mode and the audit trail."""

from participants.admin.audit_entries import AuditEntryAdmin
from participants.admin.mode import ModeAdmin
from participants.admin.participants import ParticipantAdmin

__all__ = ["AuditEntryAdmin", "ModeAdmin", "ParticipantAdmin"]
