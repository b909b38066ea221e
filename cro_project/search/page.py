"""The page with what the search box found."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse

from cro_project.search.results import MAX_ROWS, search
from participants.scope import seen_by


def search_page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """Show what the text `q` finds; where that is a single row, go to its page."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    text = " ".join(request.GET.get("q", "").replace("\x00", "").split())
    sections = search(site, request, text) if text else []
    found = [row for section in sections for row in section.rows]
    if len(found) == 1 and not any(section.more or section.took_too_long for section in sections):
        messages.info(request, f"“{text}” finds nothing else than this, by its {found[0].field}.")
        return HttpResponseRedirect(found[0].url)
    context = {
        **site.each_context(request),
        "title": f"Search: {text}" if text else "Search",
        "searched": text,
        "sections": sections,
        "most": MAX_ROWS,
        "limited": not seen_by(request.user).everyone,
    }
    return TemplateResponse(request, "admin/search.html", context)
