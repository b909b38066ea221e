"""The tables of participants, their keys and contacts, the mode, the audit trail and the journal."""

from participants.models.audit_entries import AuditEntry
from participants.models.delivery_settings import DeliverySettings
from participants.models.journal import Attachment, Contact, FollowUp, JournalEntry
from participants.models.participants import (
    CONTROL,
    DailyCount,
    Mode,
    Participant,
    ParticipantStanding,
    PublicKey,
    Role,
)

__all__ = [
    "CONTROL",
    "Attachment",
    "AuditEntry",
    "Contact",
    "DailyCount",
    "DeliverySettings",
    "FollowUp",
    "JournalEntry",
    "Mode",
    "Participant",
    "ParticipantStanding",
    "PublicKey",
    "Role",
]
