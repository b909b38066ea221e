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

SHORTEST_BEGINNING = 8
"""A text that was cut may end with the beginning of a credential. One of fewer characters stays."""


def masked(text: str, credentials: Iterable[str]) -> str:
    """Return `text` with MASK in place of each credential, in any case and however it is escaped.

    The beginning of a credential at the end of `text` is masked, too.

    Args:
        text: What an outsider replied, or an error that quotes it.
        credentials: Access tokens, client secrets, passwords. Empty ones are left out.
    """
    for credential in sorted(filter(None, credentials), key=len, reverse=True):
        text = _without_beginning(_pattern(credential).sub(MASK, text), credential)
    return text


@lru_cache(maxsize=100)
def _pattern(credential: str) -> re.Pattern[str]:
    return re.compile("".join(map(_forms, credential)), re.IGNORECASE)


def _forms(character: str) -> str:
    """Return a pattern for one character: as it is, or as JSON, HTML and URLs write it."""
    if character.isascii() and character.isalnum():
        return character
    code = ord(character)
    forms = [
        rf"\\?{re.escape(character)}",
        re.escape(quote(character, safe="")),
        re.escape(html.escape(character)),
        rf"\\u{code:04x}",
        f"&#0*{code};",
        f"&#x0*{code:x};",
        r"\s+|\+" if character.isspace() else "",
    ]
    return f"(?:{'|'.join(filter(None, forms))})"


def _without_beginning(text: str, credential: str) -> str:
    """Return `text` with MASK in place of the longest beginning of `credential` that it ends with."""
    for length in range(min(len(credential), len(text)), SHORTEST_BEGINNING - 1, -1):
        if text.endswith(credential[:length]):
            return text[:-length] + MASK
    return text
