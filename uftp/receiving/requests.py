"""The request of the message endpoint, as REST framework wraps it."""

from functools import cached_property
from typing import Any, cast

from rest_framework.request import Request

from uftp.protocol.messages import SignedMessage


class MessageRequest(Request):
    """A request whose data is a SignedMessage, never a form."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.META = self._request.META  # otherwise REST framework finds it by a failed look-up each time
        # The context refers to the request. This cycle would keep the body in memory until the garbage collector runs.
        self.parser_context = {}

    @cached_property
    def data(self) -> SignedMessage:  # type: ignore[override]
        """Read and parse the body.

        REST framework would read the Content-Type to choose a parser and to find a form. It is checked already, and
        reading it again costs about as much as parsing the envelope.
        """
        (parser,) = self.parsers or ()
        return cast(SignedMessage, parser.parse(self.stream, self.content_type, {"request": self}))

    def forget_body(self) -> None:
        """Release the body and the content, which the response would keep in memory until it is sent."""
        self.__dict__.pop("data", None)
        self.auth = None
