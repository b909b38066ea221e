"""Restrict admin pages to the rows of the participants in the scope of the member of staff."""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin.checks import ModelAdminChecks
from django.contrib.admin.utils import unquote
from django.core import checks
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest

from participants.admin_base.exporting import ExportingAdmin
from participants.models import Participant
from participants.scope import Scope, acted_for_by, seen_by


class ScopedChecks(ModelAdminChecks):
    """Check at start that each admin class states which participants its rows concern."""

    def check(self, admin_obj: Any, **kwargs: Any) -> list[checks.CheckMessage]:
        return [*super().check(admin_obj, **kwargs), *self._scope(admin_obj)]

    def _scope(self, admin_obj: Any) -> list[checks.CheckMessage]:
        own = type(admin_obj).in_scope is not ScopedAdmin.in_scope
        if own or admin_obj.scope_by or not admin_obj.about_participants:
            return []
        return [
            checks.Error(
                f"Nothing says which rows of {admin_obj.opts.label} a limited member of staff gets.",
                hint="Set scope_by to the paths to their participants, or write in_scope; "
                "or set about_participants = False.",
                obj=admin_obj.__class__,
                id="participants.E003",
            )
        ]


class ScopedAdmin(ExportingAdmin):
    """Base of all our admin pages: only rows in the viewer's scope exist for it.

    `scope_by` are the lookups from a row to its participants. A row is in scope if one of them is. Override `in_scope`
    where lookups are not sufficient. A table that concerns no participant has `about_participants = False`.
    """

    checks_class = ScopedChecks
    scope_by: tuple[str, ...] = ()
    about_participants = True

    def seen(self, request: HttpRequest) -> Scope:
        """Return the participants that the member of staff may look at."""
        return seen_by(request.user)

    def acted_for(self, request: HttpRequest) -> Scope:
        """Return the participants that the member of staff may act for."""
        return acted_for_by(request.user)

    def may_act(self, request: HttpRequest, *participants: Participant | int | None) -> bool:
        """Return whether the member of staff may act for all of `participants`."""
        scope = self.acted_for(request)
        return all(participant in scope for participant in participants)

    def in_scope(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows that concern a participant that the member of staff may look at."""
        return self.seen(request).restrict(rows, *self.scope_by)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return self.in_scope(request, rows) if self.about_participants else rows

    def acted_on(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows that the member of staff may change: they may act for all participants of such a row."""
        scope = self.acted_for(request)
        if not self.about_participants or scope.everyone:
            return rows
        if not self.scope_by:
            return rows.none()
        for path in self.scope_by:
            rows = scope.restrict(rows, path)
        return rows

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any) -> Any:
        """Run an action on the selected rows, without those that the member of staff may only look at."""
        return super().response_action(request, self.acted_on(request, queryset), *args)

    def row_or_404(self, request: HttpRequest, object_id: str) -> Any:
        """Return the row with the key `object_id` of a URL.

        Raises:
            PermissionDenied: The member of staff may not look at the table.
            Http404: The row is out of scope, or does not exist. Both look the same.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> Any:
        """Answer in Django's own pages as in ours: 404 for a row that does not exist or is out of scope."""
        raise Http404

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return whether rows can be added: only by staff who act for every participant."""
        return super().has_add_permission(request) and (
            not self.about_participants or self.acted_for(request).everyone
        )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._acts_on(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._acts_on(request, obj)

    def _acts_on(self, request: HttpRequest, row: Any) -> bool:
        return row is None or self.may_act(request, *self._parties(row))

    def _parties(self, row: Any) -> Iterable[Any]:
        """Return the primary keys of the participants that `row` concerns by `scope_by`."""
        for path in self.scope_by:
            found = row
            for name in path.split("__"):
                found = getattr(found, name)
            yield found.pk if isinstance(found, Participant) else found
