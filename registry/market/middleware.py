"""The middleware that has staff see and enter times in the market's time zone."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone

from registry.market.market import market


def in_market_time(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Make the middleware that puts the pages of the admin into the market's time zone."""

    def respond(request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(reverse("admin:index")):
            return get_response(request)
        with timezone.override(ZoneInfo(market().time_zone)):
            return get_response(request)

    return respond
