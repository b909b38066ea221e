"""Pass new recovery codes to the page that shows them once.

A cookie holds the codes, encrypted. The session holds the key until the codes are shown. So neither the database nor
the cookie alone discloses them.
"""

import base64
import json
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from nacl.utils import random

from common import clock

CODES = "two_factor_codes"
MAX_AGE = 600
"""Seconds in which new codes can be shown, and confirmed as stored."""


def show_codes(request: HttpRequest, codes: list[str], after: str) -> HttpResponse:
    """Redirect to the page that shows `codes`; once the user has stored them, that page leads to the URL `after`."""
    key = random(SecretBox.KEY_SIZE)
    request.session[CODES] = {
        "key": key.hex(),
        "next": after,
        "until": clock.now().timestamp() + MAX_AGE,
    }
    response = redirect("admin:two_factor_codes")
    response.set_cookie(
        CODES,
        base64.b64encode(SecretBox(key).encrypt(json.dumps(codes).encode())).decode(),
        max_age=MAX_AGE,
        path=reverse("admin:two_factor_codes"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )
    return response


def has_pending_codes(request: HttpRequest) -> bool:
    """Return whether this session has new codes that the user has not confirmed as stored."""
    stored = request.session.get(CODES)
    if stored and clock.now().timestamp() > stored["until"]:
        del request.session[CODES]
        stored = None
    return bool(stored)


def pop_codes(request: HttpRequest) -> list[str]:
    """Return the new codes at the first call, and none at later calls."""
    stored: dict[str, Any] = request.session[CODES]
    key = stored.pop("key", "")
    request.session.modified = True
    if not key:
        return []
    try:
        decrypted = SecretBox(bytes.fromhex(key)).decrypt(base64.b64decode(request.COOKIES.get(CODES, "")))
    except (CryptoError, ValueError):
        return []
    codes: list[str] = json.loads(decrypted)
    return codes


def delete_cookie(response: HttpResponse) -> None:
    """Delete the cookie in the browser."""
    response.delete_cookie(CODES, path=reverse("admin:two_factor_codes"), samesite="Strict")


def confirm_stored(request: HttpRequest) -> str:
    """Confirm that the user has stored the codes. Return the URL of the next page."""
    after: str = request.session.pop(CODES)["next"]
    return after
