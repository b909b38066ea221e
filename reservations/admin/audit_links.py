"""Where the contracts and updates are that decisions are about."""

import re

from django.urls import reverse
from django.utils.http import urlencode

from participants.admin import audit_entries
from participants.admin.audit_entries import Place
from participants.models import AuditEntry

_CONTRACT = re.compile(r"contract (.+) of DSO \S+ and AGR \S+")


def place_of(entry: AuditEntry) -> Place | None:
    """The permission to look at the contract or update, and where it is; None for an entry about something else."""
    number = entry.after.get("update") if isinstance(entry.after, dict) else None
    if isinstance(number, int):
        page = reverse("admin:reservations_reservationupdate_change", args=[number])
        return "reservations.view_reservationupdate", page
    if found := _CONTRACT.fullmatch(entry.subject):
        page = reverse("admin:reservations_contract_changelist")
        return "reservations.view_contract", f"{page}?{urlencode({'q': found[1]})}"
    return None


# Before the registry's, which takes an entry to the change that it names.
audit_entries.PLACES.insert(0, place_of)
