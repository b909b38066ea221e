"""Entity addresses that a field offers while one types their beginning."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path, reverse

from participants.admin_base.scalable import ScalableAdmin

SUGGESTED = 10


class SuggestingAdmin(ScalableAdmin):
    """The table's addresses are suggested, to each member of staff those in their scope."""

    @property
    def suggest_url(self) -> str:
        """Where suggestions are: a JSON object with `results`, for the beginning `term`."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_suggest")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.suggest_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_suggest"
        return [path("suggest/", view, name=name), *super().get_urls()]

    def suggest_view(self, request: HttpRequest) -> JsonResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        term = request.GET.get("term", "").strip().replace("\x00", "")
        rows = self.get_queryset(request).filter(address__startswith=term).order_by("address")
        found = rows.values_list("address", flat=True).distinct()[:SUGGESTED]
        return JsonResponse({"results": list(found) if term else []})
