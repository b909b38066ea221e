"""Suggest entity addresses while staff type their beginning or their end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.http import HttpRequest, JsonResponse

from participants.admin_base.pages import Page
from participants.admin_base.scalable import ScalableAdmin

SUGGESTED = 10


def suggest(model_admin: ScalableAdmin, request: HttpRequest) -> JsonResponse:
    """Return the addresses in scope that begin or end with `term`, as a JSON object with `results`."""
    term = request.GET.get("term", "").strip().replace("\x00", "")
    found, _ = model_admin.find(request, term, SUGGESTED) if term else ([], False)
    return JsonResponse({"results": sorted({each.row.address for each in found})})


SUGGEST = Page("suggest/", "suggest", suggest)


class SuggestingAdmin(ScalableAdmin):
    """A screen whose addresses are suggested to staff, within their scope."""

    pages: ClassVar[Sequence[Page]] = (SUGGEST,)

    @property
    def suggest_url(self) -> str:
        """Return the address of the suggestions."""
        return self.url_to(SUGGEST.name)
