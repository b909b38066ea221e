"""The page of a change says what came of it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from participants.admin_base.scalable import ScalableAdmin
from registry.admin.facts.counts import is_about_other_than_days
from registry.previews.effects import of_change
from registry.previews.presentation import as_seen


class ConsequencesAdmin(ScalableAdmin):
    """Adds to the page of a change what it did to days and conflicts, for those who see every participant.

    Others find on it the facts and conflicts of theirs: what it did to those of others is not theirs to know. What a
    change did to other facts than days, these say.
    """

    change_form_template = "admin/registry/change.html"

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        scope = self.seen(request)
        if obj is not None and scope.everyone:
            shown = as_seen(of_change(obj.pk), scope)
            context["shown"] = None if shown.nothing and is_about_other_than_days(obj) else shown
        return super().render_change_form(request, context, add, change, form_url, obj)
