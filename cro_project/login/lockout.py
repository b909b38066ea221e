"""The page for staff who gave a wrong password or code too often (docs/settings.md, Staff)."""

from typing import Any

from axes.helpers import get_client_username, get_cool_off
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from cro_project.web.client_address import for_log_in_lock
from participants.admin_base.html import moment


def page(
    request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """Return 429 and a page that says when the user can log in again. `response` is not used."""
    user_name = get_client_username(request, credentials)
    attempts = AccessAttempt.objects.filter(username=user_name, ip_address=for_log_in_lock(request))
    last = attempts.aggregate(at=Max("attempt_time"))["at"]
    cool_off = get_cool_off(request)
    opens = (last or timezone.now()) + cool_off
    return render(
        request,
        "admin/locked_out.html",
        {
            **admin.site.each_context(request),
            "title": "Locked for now",
            "failures": settings.AXES_FAILURE_LIMIT,
            "minutes": int(cool_off.total_seconds()) // 60,
            "opens": moment(opens),
        },
        status=429,
    )
