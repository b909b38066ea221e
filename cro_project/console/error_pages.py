"""What people see where a page cannot be shown: why, in words, and a way back. Machines get one line of text."""

from http import HTTPStatus

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.csrf import requires_csrf_token

from cro_project.web.plain import line

MACHINES = ("/shapeshifter", "/health", "/static/", "/favicon")
"""How the paths begin at which no person looks."""


@requires_csrf_token
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: what is not there and what is for others read alike."""
    return _page(request, HTTPStatus.NOT_FOUND)


@requires_csrf_token
def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403, with the reason where `exception` has one to tell."""
    return _page(request, HTTPStatus.FORBIDDEN, why=str(exception))


@requires_csrf_token
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: an address or a form that no page of ours sends."""
    return _page(request, HTTPStatus.BAD_REQUEST)


@requires_csrf_token
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form that does not come from a page which this browser has opened since its log-in."""
    return _page(request, HTTPStatus.FORBIDDEN, template="403_csrf.html")


@requires_csrf_token
def server_error(request: HttpRequest) -> HttpResponse:
    """500 and a page that asks nothing of the database, which may be what fails."""
    if request.path.startswith(MACHINES):
        return line(HTTPStatus.INTERNAL_SERVER_ERROR, "this CRO failed at it")
    return HttpResponse(render_to_string("500.html"), status=HTTPStatus.INTERNAL_SERVER_ERROR)


def _page(request: HttpRequest, status: HTTPStatus, *, template: str = "", why: str = "") -> HttpResponse:
    """Return the page for `status`, with the menu for a user who is logged in, else with a link to the log-in."""
    if request.path.startswith(MACHINES):
        return line(status, status.phrase.lower())
    site = admin.site
    known = hasattr(request, "user") and site.has_permission(request)
    context = (
        site.each_context(request)
        if known
        else {"site_title": site.site_title, "site_header": site.site_header, "has_permission": False}
    )
    return render(request, template or f"{status.value}.html", {**context, "why": why}, status=status)
