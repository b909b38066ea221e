"""The register of what apps add to the screens of the apps below them.

An app does not import the apps above it. Each app calls `extend_screens` once, in `AppConfig.ready()`. The screens
read the register at each request. The order is the one that the extensions state, and not the order of imports.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from participants.admin_base.figures import Figure, MayView
from participants.admin_base.pages import Page
from participants.admin_base.search import Conditions, Finder
from participants.daily_counts import CountDay
from participants.models import Participant
from participants.scope import Scope


@dataclass(frozen=True, slots=True)
class Card:
    """A box on the page of a participant.

    Attributes:
        title: The heading.
        rows: Pairs of a term and its text or HTML.
        tools: Buttons below the rows and the body.
        body: More HTML, below the rows.
        wide: Whether the card takes the full width of the page.
    """

    title: str
    rows: Sequence[tuple[str, object]] = ()
    tools: Sequence[SafeString] = ()
    body: SafeString | str = ""
    wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenExtension:
    """What one app adds to screens of apps below it.

    Attributes:
        order: The place among the other apps; the lowest comes first.
        cards: Make cards on the page of a participant. They are called with the participants' admin, the request and
            the participant; they return None when this member of staff may not see the card.
        waiting: Count the messages of participants that wait to be processed, by primary key; zero is left out.
        figures: Make the figures of the dashboard that ask staff to do something. They are called with the scope of
            the viewer, the present moment and a function that says whether the viewer may view a table.
        pages: Pages below the list of another app's table, by table.
        actions: Actions in the list of another app's table, by table.
        inlines: Inlines on the page of a row of another app's table, by table.
        finders: The tables that the search box of every page searches.
        searches: Further conditions by which the lists of other apps are searched, by table.
        daily_counts: Count what happened on a day, for the trends of the dashboard.
        fact_kinds: Kinds of facts that the page of a change counts (`registry.admin.facts.counts.FactKind`).
    """

    order: int
    cards: Sequence[Callable[[Any, HttpRequest, Participant], Card | None]] = ()
    waiting: Sequence[Callable[[Sequence[Participant]], Mapping[int, int]]] = ()
    figures: Sequence[Callable[[Scope, datetime, MayView], Iterable[Figure]]] = ()
    pages: Mapping[type[Model], Sequence[Page]] = field(default_factory=dict)
    actions: Mapping[type[Model], Sequence[Callable[..., Any]]] = field(default_factory=dict)
    inlines: Mapping[type[Model], Sequence[type[Any]]] = field(default_factory=dict)
    finders: Sequence[Finder] = ()
    searches: Mapping[type[Model], Sequence[Conditions]] = field(default_factory=dict)
    daily_counts: Sequence[CountDay] = ()
    fact_kinds: Sequence[Any] = ()


class AlreadyExtended(ValueError):
    """An app extends the screens twice, or takes the place of another app."""


_extensions: dict[str, ScreenExtension] = {}


def extend_screens(app_label: str, extension: ScreenExtension) -> None:
    """Register what the app `app_label` adds to screens. Called once for each app, in `AppConfig.ready()`.

    Raises:
        AlreadyExtended: The app has registered before, or another app has the same order.
    """
    taken = {other.order: label for label, other in _extensions.items()}
    if app_label in _extensions:
        raise AlreadyExtended(f"{app_label} extends the screens twice.")
    if extension.order in taken:
        raise AlreadyExtended(f"{app_label} has the order {extension.order} of {taken[extension.order]}.")
    _extensions[app_label] = extension


def extensions() -> list[ScreenExtension]:
    """Return the registered extensions, in the stated order."""
    return sorted(_extensions.values(), key=lambda extension: extension.order)


def cards(model_admin: Any, request: HttpRequest, participant: Participant) -> list[Card]:
    """Return the cards that apps add to the page of `participant`, the wide ones last."""
    made = [make(model_admin, request, participant) for each in extensions() for make in each.cards]
    return sorted((card for card in made if card), key=lambda card: card.wide)


def waiting_messages(participants: Sequence[Participant]) -> dict[int, int]:
    """Count the messages of each of `participants` that wait to be processed, by primary key, without zeros."""
    waiting: dict[int, int] = {}
    for count in (count for each in extensions() for count in each.waiting):
        for pk, number in count(participants).items():
            waiting[pk] = waiting.get(pk, 0) + number
    return waiting


def figures(scope: Scope, now: datetime, may_view: MayView) -> Iterator[Figure]:
    """Return the figures that apps add to the dashboard, for a viewer with `scope`."""
    return (figure for each in extensions() for make in each.figures for figure in make(scope, now, may_view))


def pages(model: type[Model]) -> list[Page]:
    """Return the pages that apps add below the list of `model`."""
    return [page for each in extensions() for page in each.pages.get(model, ())]


def actions(model: type[Model]) -> list[Callable[..., Any]]:
    """Return the actions that apps add to the list of `model`."""
    return [action for each in extensions() for action in each.actions.get(model, ())]


def inlines(model: type[Model]) -> list[type[Any]]:
    """Return the inlines that apps add to the page of a row of `model`."""
    return [inline for each in extensions() for inline in each.inlines.get(model, ())]


def finders() -> list[Finder]:
    """Return what the search box of every page searches, in the order of its results."""
    found = (finder for each in extensions() for finder in each.finders)
    return sorted(found, key=lambda finder: finder.place)


def searches(model: type[Model]) -> list[Conditions]:
    """Return the further conditions by which apps search the list of `model`."""
    return [conditions for each in extensions() for conditions in each.searches.get(model, ())]


def daily_counts() -> list[CountDay]:
    """Return how apps count what happened on a day."""
    return [count for each in extensions() for count in each.daily_counts]


def fact_kinds() -> list[Any]:
    """Return the kinds of facts that apps add to the page of a change."""
    return [kind for each in extensions() for kind in each.fact_kinds]


def button(url: str, text: str) -> SafeString:
    """Return a link that looks like a button."""
    return format_html('<a class="button" href="{}">{}</a>', url, text)


def badge(tone: str, text: object) -> SafeString:
    """Return `text` as a badge in the tone `ok`, `warn`, `bad` or none."""
    return format_html('<span class="badge {}">{}</span>', tone, text)
