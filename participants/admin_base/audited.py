"""What the audit trail says of something, on the page of that thing."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from common.display import NOTHING
from participants.admin_base.html import moment
from participants.models import AuditEntry
from participants.scope import seen_by


def about(subject: str, changes: Iterable[int] = ()) -> Q:
    """The audit entries about `subject`: those that name it, alone or with what of it changed.

    And those of the decisions that the `changes` of the registry, by their numbers, carried out.
    """
    found = Q(after__change__in=list(changes))
    return found | Q(subject=subject) | Q(subject__startswith=f"{subject} ") if subject else found


class AuditedAdmin(admin.ModelAdmin[Any]):
    """The page of a row leads to the audit entries about it, where there are any."""

    def audit_subject(self, row: Any) -> str:
        """What the audit trail calls `row`; empty: it never names one."""
        return ""

    def audit_changes(self, row: Any) -> list[int]:
        """The numbers of the changes of the registry that made of `row` what it is, by decisions among others."""
        return []

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        context["audit_trail"] = self._audit_trail(request, obj) if obj is not None else ""
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _audit_trail(self, request: HttpRequest, row: Any) -> str:
        """Where the entries about `row` are; empty where there are none, or not for this member of staff."""
        subject, changes = self.audit_subject(row), self.audit_changes(row)
        if not (subject or changes) or not request.user.has_perm("participants.view_auditentry"):
            return ""
        entries, scope = AuditEntry.objects.filter(about(subject, changes)), seen_by(request.user)
        if not scope.everyone:
            entries = entries.filter(participants__overlap=sorted(scope.ids))
        if not entries.exists():
            return ""
        said = {"subject": subject, "change": ",".join(map(str, changes))}
        page = reverse("admin:participants_auditentry_changelist")
        return f"{page}?{urlencode({name: text for name, text in said.items() if text})}"


def what_changed(entry: AuditEntry) -> list[str]:
    """What an entry says of each value: `standing: authorized → barred`, or one value alone."""
    before, after = _values(entry.before), _values(entry.after)
    said = []
    for name in dict.fromkeys([*before, *after]):
        old, new = _in_words(before.get(name)), _in_words(after.get(name))
        if name in before and name in after:
            said.append(f"{name}: {old} → {new}")
        elif name in before and entry.after is None:
            said.append(f"{name}: {old} → {NOTHING}")
        elif (only := old if name in before else new) != NOTHING:
            said.append(f"{name}: {only}")
    return said


def _values(stored: Any) -> Mapping[str, Any]:
    return stored if isinstance(stored, Mapping) else {}


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return NOTHING
    if isinstance(value, str) and "T" in value:
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            return value
        return moment(at) if at.tzinfo else value
    return str(value)
