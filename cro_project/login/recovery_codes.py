"""Recovery codes on their way from the page that makes them to the one that shows them, once.

They travel in a cookie, encrypted with a key that the session keeps until they are shown: the database alone says
nothing of them, and neither does the cookie.
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
SECONDS = 600
"""For which codes that were made can be shown, or said to be kept."""


def show_codes(request: HttpRequest, codes: list[str], after: str) -> HttpResponse:
    """Lead to the page that shows `codes`, and when they are kept to the URL `after`."""
    key = random(SecretBox.KEY_SIZE)
    request.session[CODES] = {
        "key": key.hex(),
        "next": after,
        "until": clock.now().timestamp() + SECONDS,
    }
    answer = redirect("admin:two_factor_codes")
    answer.set_cookie(
        CODES,
        base64.b64encode(SecretBox(key).encrypt(json.dumps(codes).encode())).decode(),
        max_age=SECONDS,
        path=reverse("admin:two_factor_codes"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )
    return answer


def were_made(request: HttpRequest) -> bool:
    """Whether codes were made in this session, lately, of which nobody has said that they are kept."""
    made = request.session.get(CODES)
    if made and clock.now().timestamp() > made["until"]:
        del request.session[CODES]
        made = None
    return bool(made)


def take_codes(request: HttpRequest) -> list[str]:
    """The codes that were made, the first time that it is asked; then none."""
    made: dict[str, Any] = request.session[CODES]
    key = made.pop("key", "")
    request.session.modified = True
    if not key:
        return []
    try:
        opened = SecretBox(bytes.fromhex(key)).decrypt(base64.b64decode(request.COOKIES.get(CODES, "")))
    except (CryptoError, ValueError):
        return []
    codes: list[str] = json.loads(opened)
    return codes


def forget_codes(answer: HttpResponse) -> None:
    """Have the browser forget the cookie."""
    answer.delete_cookie(CODES, path=reverse("admin:two_factor_codes"), samesite="Strict")


def kept(request: HttpRequest) -> str:
    """They are kept: the URL of the page after them."""
    after: str = request.session.pop(CODES)["next"]
    return after
