"""What the layers above know of a participant, and do with it, on the screens of this one.

The layer of participants knows neither messages nor the registry. When the admin loads them, they append their
functions to the lists here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString

from participants.models import Participant


@dataclass(frozen=True, slots=True)
class Card:
    """A box on the page of a participant: what it says, as (term, text or HTML), and what can be done."""

    title: str
    says: Sequence[tuple[str, object]] = ()
    tools: Sequence[SafeString] = ()
    below: SafeString | str = ""
    wide: bool = False


CARDS: list[Callable[[Any, HttpRequest, Participant], Card | None]] = []
"""Called with the participants' admin; None: nothing that this member of staff may look at."""

PAGES: list[Callable[[Any], Iterable[URLPattern]]] = []
"""Pages below a participant's own, called with the participants' admin."""

WAITING: list[Callable[[Sequence[Participant]], Mapping[int, int]]] = []
"""How many messages of each of these participants wait to be handled, by its primary key; none: left out."""


def cards(of: ModelAdmin[Any], request: HttpRequest, participant: Participant) -> list[Card]:
    """What the layers above show of `participant` to this member of staff, the wide ones last."""
    made = [card for card in (make(of, request, participant) for make in CARDS) if card]
    return sorted(made, key=lambda card: card.wide)


def waiting_messages(participants: Sequence[Participant]) -> dict[int, int]:
    """How many messages of each of `participants` wait to be handled, by its primary key; none: left out."""
    waiting: dict[int, int] = {}
    for count in WAITING:
        for pk, many in count(participants).items():
            waiting[pk] = waiting.get(pk, 0) + many
    return waiting


def button(url: str, text: str) -> SafeString:
    """A link that looks like a button."""
    return format_html('<a class="button" href="{}">{}</a>', url, text)


def badge(tone: str, text: object) -> SafeString:
    """`text` as a badge in the tone `ok`, `warn`, `bad` or none."""
    return format_html('<span class="badge {}">{}</span>', tone, text)
