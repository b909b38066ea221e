"""The middleware that calls the message endpoint before the middleware for the screens of staff."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from uftp.protocol.versions import PATHS
from uftp.receiving.views import MessageView


def message_endpoint_first(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Call the message endpoint without the middleware after this one.

    That middleware is for sessions, users and pages, which a message does not have.
    """
    take = MessageView.as_view()

    def respond(request: HttpRequest) -> HttpResponseBase:
        major = PATHS.get(request.path_info)
        return get_response(request) if major is None else take(request, major=major)

    return respond
