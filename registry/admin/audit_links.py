"""Where the things of the common reference are that decisions are about, as far as the words of an entry tell."""

import re

from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils.http import urlencode

from participants.admin import audit_entries
from participants.admin.audit_entries import Place
from participants.models import AuditEntry
from registry.market.policies import POLICIES

_CONFLICT = re.compile(r"conflict (\d+) about ")
_IMPORT = re.compile(r"import (\d+) of ")


def place_of(entry: AuditEntry) -> Place | None:
    """The permission to look at the thing, and its URL; None for an entry that is about something else."""
    subject, change = entry.subject, _change(entry)
    if subject in POLICIES:
        return "registry.view_policy", reverse("admin:registry_policy_change", args=[quote(subject)])
    if subject == "market":
        return "registry.view_market", reverse("admin:registry_market_change", args=[1])
    if found := _CONFLICT.match(subject):
        return "registry.view_conflict", reverse("admin:registry_conflict_change", args=[found[1]])
    if found := _IMPORT.match(subject):
        return "registry.view_importrun", reverse("admin:registry_importrun_change", args=[found[1]])
    if change is not None:
        return "registry.view_change", reverse("admin:registry_change_change", args=[change])
    if entry.action == "reset revision place":
        page = reverse("admin:registry_revisionplace_changelist")
        return "registry.view_revisionplace", f"{page}?{urlencode({'q': subject.rpartition(' ')[2]})}"
    return None


def _change(entry: AuditEntry) -> int | None:
    """The change that the decision made, where its entry names one."""
    number = entry.after.get("change") if isinstance(entry.after, dict) else None
    return number if isinstance(number, int) else None


audit_entries.PLACES.append(place_of)
