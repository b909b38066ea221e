"""The checks of a request's headers, before its body is read."""

import re

from django.conf import settings
from django.http import HttpRequest

from uftp.receiving.exceptions import Refused

_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
"""Names of UTF-8, and of the part of it that is ASCII."""


def check_headers(request: HttpRequest) -> int:
    """Check what the headers say about the body.

    Returns:
        The length of the body in bytes.

    Raises:
        Refused: 400, 411 or 413.
    """
    length = request.META.get("CONTENT_LENGTH") or ""
    if not re.fullmatch(r"[0-9]{1,18}", length):
        raise Refused(411, "a Content-Length is required")
    media_type, *parameters = (
        part.strip().lower() for part in request.META.get("CONTENT_TYPE", "").split(";")
    )
    if media_type != "text/xml" and not (
        media_type == "application/xml" and settings.UFTP_ACCEPT_APPLICATION_XML
    ):
        accepted = "text/xml or application/xml" if settings.UFTP_ACCEPT_APPLICATION_XML else "text/xml"
        stated = f"is {media_type[:60]}" if media_type else "is missing"
        raise Refused(400, f"Content-Type: must be {accepted}, and {stated}")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in _CHARSETS:
            raise Refused(400, "Content-Type: the charset must be UTF-8")
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in {"", "identity"}:
        raise Refused(400, "Content-Encoding: must be absent")
    if int(length) > settings.UFTP_MAX_MESSAGE_BYTES:
        raise Refused(
            413, f"{length} bytes are too many: at most {settings.UFTP_MAX_MESSAGE_BYTES} are taken"
        )
    if int(length) == 0:
        raise Refused(400, "SignedMessage: the body is empty")
    return int(length)
