"""The short way to the message endpoint: past the middleware that staff's screens need."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from uftp.protocol.versions import PATHS
from uftp.receiving.views import MessageView


def messages_first(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: a message has no session, no cookie, no user, and no page to protect; its signature is all it has."""
    take = MessageView.as_view()

    def respond(request: HttpRequest) -> HttpResponseBase:
        major = PATHS.get(request.path_info)
        return get_response(request) if major is None else take(request, major=major)

    return respond
