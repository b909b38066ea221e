"""Credentials of this CRO are taken out of what outsiders reply, before it is stored, logged or shown.

The system of a participant may repeat the headers of a request in an error page. Staff would then read our access token
on the page of the message.
"""

import html
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote

MASK = "[credential]"

MAX_TEXT = 4_000
"""Characters of a text that are kept. More than that is stored nowhere."""

SHORTEST_BEGINNING = 8
"""A text that was cut may end with the beginning of a credential. One of fewer characters stays."""


def masked(text: str, credentials: Iterable[str]) -> str:
    """Return `text` with MASK in place of each credential, in any case and however it is escaped.

    The beginning of a credential at the end of `text` is masked, too. A long text is cut.

    Args:
        text: What an outsider replied, or an error that quotes it.
        credentials: Access tokens, client secrets, passwords. Empty ones are left out.
    """
    text = text[:MAX_TEXT]
    for credential in sorted(filter(None, credentials), key=len, reverse=True):
        for pattern in _patterns(credential):
            text = pattern.sub(MASK, text)
        text = _without_beginning(text, credential)
    return text


@lru_cache(maxsize=100)
def _patterns(credential: str) -> list[re.Pattern[str]]:
    """Return patterns of a credential: as it is, and with any of its characters escaped."""
    escaped = "".join(map(_forms, credential))
    return [re.compile(pattern, re.IGNORECASE) for pattern in (re.escape(credential), escaped)]


def _forms(character: str) -> str:
    """Return a pattern for one character: as it is, or as JSON, HTML and URLs write it.

    The group is atomic and has its longest forms first. So no reply makes the search slow.
    """
    if character.isascii() and character.isalnum():
        return character
    code = ord(character)
    written = {
        character,
        f"\\{character}",
        f"\\u{code:04x}",
        quote(character, safe=""),
        html.escape(character),
    }
    if character.isspace():
        written.add("+")
    forms = [re.escape(form) for form in sorted(written, key=len, reverse=True)]
    return f"(?>&#0*{code};|&#x0*{code:x};|{'|'.join(forms)})"


def _without_beginning(text: str, credential: str) -> str:
    """Return `text` with MASK in place of the longest beginning of `credential` that it ends with."""
    for length in range(min(len(credential), len(text)), SHORTEST_BEGINNING - 1, -1):
        if text.endswith(credential[:length]):
            return text[:-length] + MASK
    return text
