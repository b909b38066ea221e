"""Admin pages of which each member of staff gets the rows of the participants they are responsible for."""

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
    """Refuses at start a page that does not say whose its rows are."""

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
    """Base of every admin page of ours: shows the rows that are in scope, and knows no others.

    `scope_by` are the paths from a row to its participants; a row is in scope where one of them is seen. What paths
    cannot say, `in_scope` does. A table that is about no participant has `about_participants = False`.
    """

    checks_class = ScopedChecks
    scope_by: tuple[str, ...] = ()
    about_participants = True

    def seen(self, request: HttpRequest) -> Scope:
        """The participants that this member of staff may look at."""
        return seen_by(request.user)

    def acted_for(self, request: HttpRequest) -> Scope:
        """The participants that this member of staff may act for."""
        return acted_for_by(request.user)

    def may_act(self, request: HttpRequest, *participants: Participant | int | None) -> bool:
        """Whether this member of staff may act for all of `participants`; whatever it is that they may do."""
        scope = self.acted_for(request)
        return all(participant in scope for participant in participants)

    def in_scope(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those of `rows` that are about a participant whom this member of staff may look at."""
        return self.seen(request).restrict(rows, *self.scope_by)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return self.in_scope(request, rows) if self.about_participants else rows

    def acted_on(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those of `rows` on which this member of staff may act: they act for all participants of such a row."""
        scope = self.acted_for(request)
        if not self.about_participants or scope.everyone:
            return rows
        if not self.scope_by:
            return rows.none()
        for path in self.scope_by:
            rows = scope.restrict(rows, path)
        return rows

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any) -> Any:
        """An action on rows that were chosen in the list passes over those that are only looked at."""
        return super().response_action(request, self.acted_on(request, queryset), *args)

    def row_or_404(self, request: HttpRequest, object_id: str) -> Any:
        """The row with the key `object_id`, as it stands in a URL, for a view of one's own.

        Raises PermissionDenied for those who may look at no row of the table, Http404 for a row that is out of scope
        as for one that does not exist.
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
        """Django's own pages answer like those of one's own: no such page, or not for whom asks."""
        raise Http404

    def has_add_permission(self, request: HttpRequest) -> bool:
        """What is about participants is added by those who act for every participant."""
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
        """The primary keys of the participants to which `scope_by` leads from `row`."""
        for path in self.scope_by:
            found = row
            for name in path.split("__"):
                found = getattr(found, name)
            yield found.pk if isinstance(found, Participant) else found
