"""Where the messages are that decisions are about."""

import re

from django.urls import reverse
from django.utils.http import urlencode

from participants.admin import audit_entries
from participants.admin.audit_entries import Place
from participants.models import AuditEntry

_MESSAGE = re.compile(r"\w+ ([0-9a-fA-F-]{36}) (of|to) ")


def place_of(entry: AuditEntry) -> Place | None:
    """The permission to look at the message, and where it is; None for an entry that is about something else."""
    found = _MESSAGE.match(entry.subject)
    if found is None:
        return None
    model = "inboundmessage" if found[2] == "of" else "outboundmessage"
    page = reverse(f"admin:uftp_{model}_changelist")
    return f"uftp.view_{model}", f"{page}?{urlencode({'q': found[1]})}"


audit_entries.PLACES.append(place_of)
