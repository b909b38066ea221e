"""Link the page of an object to its audit entries."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, Q
from django.http import HttpRequest
from django.urls import reverse

from common.display import PLACEHOLDER
from participants.admin_base.base import BaseAdmin
from participants.admin_base.html import moment
from participants.models import AuditEntry
from participants.scope import seen_by


def reference(row: Model) -> str:
    """Return `row` as it is named in the URL of the list of audit entries, such as `registry.conflict:5`."""
    return f"{row._meta.label_lower}:{row.pk}"


def entries_about(referred: str, changes: Iterable[int] = ()) -> Q:
    """Return the condition for audit entries about an object, or of certain changes of the registry.

    Args:
        referred: The `reference` of the object. If it names no object, only `changes` count.
        changes: Numbers of changes of the registry.
    """
    model, _, pk = referred.partition(":")
    app, _, name = model.partition(".")
    try:
        kind = ContentType.objects.get_by_natural_key(app, name)
    except ContentType.DoesNotExist:
        return Q(after__change__in=list(changes))
    return Q(content_type=kind, object_pk=pk) | Q(after__change__in=list(changes))


class AuditedAdmin(BaseAdmin):
    """Link the page of a row to its audit entries, if there are any.

    Set `audited = False` if no entry is ever about such a row.
    """

    audited = True

    def audit_object(self, row: Any) -> Model:
        """Return the object of the audit entries about `row`."""
        return row  # type: ignore[no-any-return]

    def audit_changes(self, row: Any) -> list[int]:
        """Return the numbers of the changes of the registry that made `row` what it is."""
        return []

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        audit_trail = self._audit_trail(request, row) if row is not None else ""
        return {**super().page_context(request, row), "audit_trail": audit_trail}

    def _audit_trail(self, request: HttpRequest, row: Any) -> str:
        """Return the URL of the entries about `row`; empty if there are none, or the viewer may not see them."""
        if not self.audited or not request.user.has_perm("participants.view_auditentry"):
            return ""
        referred, changes = reference(self.audit_object(row)), self.audit_changes(row)
        entries, scope = AuditEntry.objects.filter(entries_about(referred, changes)), seen_by(request.user)
        if not scope.everyone:
            entries = entries.filter(participants__overlap=sorted(scope.ids))
        if not entries.exists():
            return ""
        parameters = {"object": referred, "change": ",".join(map(str, changes))}
        page = reverse("admin:participants_auditentry_changelist")
        return f"{page}?{urlencode({name: text for name, text in parameters.items() if text})}"


def changes_in_words(entry: AuditEntry) -> list[str]:
    """Return each changed value in words: `standing: authorized → barred`, or one value alone."""
    before, after = _values(entry.before), _values(entry.after)
    lines = []
    for name in dict.fromkeys([*before, *after]):
        old, new = _in_words(before.get(name)), _in_words(after.get(name))
        if name in before and name in after:
            lines.append(f"{name}: {old} → {new}")
        elif name in before and entry.after is None:
            lines.append(f"{name}: {old} → {PLACEHOLDER}")
        elif (only := old if name in before else new) != PLACEHOLDER:
            lines.append(f"{name}: {only}")
    return lines


def _values(stored: Any) -> Mapping[str, Any]:
    return stored if isinstance(stored, Mapping) else {}


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return PLACEHOLDER
    if isinstance(value, str) and "T" in value:
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            return value
        return moment(at) if at.tzinfo else value
    return str(value)
