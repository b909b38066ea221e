"""Error pages: the reason in words, and a link back. Programs get one line of text."""

from http import HTTPStatus

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.csrf import requires_csrf_token

from cro_project.web.plain import plain_response

MACHINE_PATHS = ("/shapeshifter", "/health", "/static/", "/favicon")
"""Beginnings of the paths that programs request, and not people."""


@requires_csrf_token
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return 404. The page is the same for what does not exist and for what is out of the viewer's scope."""
    return _page(request, HTTPStatus.NOT_FOUND)


@requires_csrf_token
def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return 403, with the text of `exception` as the reason."""
    return _page(request, HTTPStatus.FORBIDDEN, why=str(exception))


@requires_csrf_token
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return 400 for a URL or a form that no page of ours sends."""
    return _page(request, HTTPStatus.BAD_REQUEST)


@requires_csrf_token
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Return 403 for a form without a valid CSRF token: its page is older than the log-in, or of another site."""
    return _page(request, HTTPStatus.FORBIDDEN, template="403_csrf.html")


@requires_csrf_token
def server_error(request: HttpRequest) -> HttpResponse:
    """Return 500 and a page that needs no database, since the database may be what fails."""
    if request.path.startswith(MACHINE_PATHS):
        return plain_response(HTTPStatus.INTERNAL_SERVER_ERROR, "this CRO failed to answer")
    return HttpResponse(render_to_string("500.html"), status=HTTPStatus.INTERNAL_SERVER_ERROR)


def _page(request: HttpRequest, status: HTTPStatus, *, template: str = "", why: str = "") -> HttpResponse:
    """Return the page for `status`: with the menu if the user is logged in, otherwise with a link to the log-in."""
    if request.path.startswith(MACHINE_PATHS):
        return plain_response(status, status.phrase.lower())
    site = admin.site
    known = hasattr(request, "user") and site.has_permission(request)
    context = (
        site.each_context(request)
        if known
        else {"site_title": site.site_title, "site_header": site.site_header, "has_permission": False}
    )
    return render(request, template or f"{status.value}.html", {**context, "why": why}, status=status)
