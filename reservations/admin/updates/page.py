"""Collect what the page of a reservation update shows: its ISPs, its states, its delivery and the AGR's answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from django.contrib.admin import AdminSite
from django.db.models import Prefetch, Q, QuerySet
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from participants.admin_base.html import link, moment
from participants.scope import Scope
from registry.models import Change
from registry.queries.change_sources import source_name
from reservations.admin.updates.states import state_badge
from reservations.contracts.stored_profiles import profiles_of
from reservations.isps import calendar, clock_times
from reservations.models import ReservationUpdate, UpdateState
from reservations.settlement.remaining import CountingUpdate, DayFigures, figures
from uftp.admin.messages import badge as message_badge
from uftp.admin.outbound import OutboundMessageAdmin
from uftp.delivery.resending import with_earlier
from uftp.models import InboundMessage, OutboundMessage, Sender

MAX_ROWS = 50
"""How many updates for the same contract and Period the page lists, and how many responses."""

RESPONSE = "FlexReservationUpdateResponse"


@dataclass(frozen=True, slots=True)
class Line:
    """Neighbouring ISPs of an update with the same values.

    `by` names the update that determines what remains; it is empty where that is this update. `remains` is empty where
    the day is no longer in the contract. It is a least and a greatest power where the day is settled in shorter ISPs.
    """

    isps: str
    time: str
    contracted: str
    stated: str
    released: str
    remains: str
    by: SafeString | str


@dataclass(frozen=True, slots=True)
class StateRow:
    """A state of an update: since when, by what and why; `superseded` where it is not the current one."""

    state: SafeString
    since: str
    by: SafeString | str
    why: str
    superseded: bool


@dataclass(frozen=True, slots=True)
class SiblingUpdate:
    """An update for the same contract and Period."""

    update: ReservationUpdate
    state: SafeString
    stamped: str
    received: str
    is_this_update: bool


@dataclass(frozen=True, slots=True)
class PassOnStatus:
    """The message that passes an update on.

    `page`, `following` and `tries` are empty for a viewer who may not see the AGR's messages.
    """

    page: str
    state: str
    following: str
    tries: str


def with_state(updates: QuerySet[ReservationUpdate]) -> QuerySet[ReservationUpdate]:
    """Return the updates with their current states prefetched for `state_of`."""
    return updates.prefetch_related(Prefetch("states", UpdateState.objects.current(), "current_states"))


def state_of(update: ReservationUpdate) -> str:
    """Return the current state of an update that `with_state` fetched."""
    (current,) = update.current_states  # type: ignore[attr-defined]
    return str(current.state)


def lines(update: ReservationUpdate) -> list[Line]:
    """Return what the update states for its ISPs, in order, with the contracted and the present remaining power."""
    version = update.version
    contracted = profiles_of([version])[version.pk].watts_on(
        update.period, version.isp_minutes, version.time_zone
    )
    at_present = next(figures([update.contract], update.period, update.period), None)
    times = clock_times.of_day(update.period, version.isp_minutes, version.time_zone)
    stated = {
        number: watts
        for start, duration, watts in update.isps
        for number in range(start, start + duration)
        if number <= times.count
    }
    rows = [
        (
            number,
            contracted[number - 1],
            stated[number],
            *_remaining_now(at_present, number, version.isp_minutes),
        )
        for number in sorted(stated)
    ]
    found = []
    for _, run in groupby(enumerate(rows), key=lambda row: (row[1][0] - row[0], *row[1][1:])):
        alike = [row for _, row in run]
        (first, of_contract, watts, remains, by), (last, *_) = alike[0], alike[-1]
        found.append(
            Line(
                isps=", ".join(calendar.in_words(range(first, last + 1))),
                time=times.span(first, last),
                contracted=clock_times.in_watts(of_contract),
                stated=clock_times.in_watts(watts),
                released=clock_times.in_watts(of_contract - watts),
                remains=" to ".join(clock_times.in_watts(each) for each in remains),
                by=_sources(update, by),
            )
        )
    return found


def _remaining_now(
    at_present: DayFigures | None, number: int, minutes: int
) -> tuple[tuple[int, ...], tuple[CountingUpdate | None, ...]]:
    """Return the watts that remain in an ISP of `minutes` now, and the updates that determine them.

    Where the day is now settled in ISPs of another duration, return the least and the greatest watts of the ISPs in the
    same time. Both results are empty where the day is no longer in the contract.
    """
    if at_present is None:
        return (), ()
    minutes_at_present = at_present.version.isp_minutes
    under = slice((number - 1) * minutes // minutes_at_present, -(-number * minutes // minutes_at_present))
    watts = sorted(set(at_present.remaining[under]), key=abs)
    return tuple(watts[:: max(len(watts) - 1, 1)]), at_present.source[under]


def _sources(update: ReservationUpdate, by: tuple[CountingUpdate | None, ...]) -> SafeString | str:
    if not by:
        return "not in the contract at present"
    sources = dict.fromkeys(_source(update, each) for each in by)
    return format_html_join(", ", "{}", ((each,) for each in sources if each))


def _source(update: ReservationUpdate, by: CountingUpdate | None) -> SafeString | str:
    if by is None:
        return "as contracted"
    if by.id == update.pk:
        return ""
    return format_html("by {}", link(ReservationUpdate(pk=by.id), by.reference or "another update"))


def history(update: ReservationUpdate, seen: Scope) -> list[StateRow]:
    """Return the states of the update, latest first."""
    rows = update.states.select_related("recorded_by__message__sender").defer("recorded_by__message__sealed")
    return [
        StateRow(
            state=state_badge(row.state),
            since=link(row.recorded_by, moment(row.recorded_by.moment)),
            by=_cause(update, row.recorded_by, seen),
            why=row.recorded_by.reason,
            superseded=row.superseded_by_id is not None,
        )
        for row in rows.order_by("-id")
    ]


def _cause(update: ReservationUpdate, change: Change, seen: Scope) -> SafeString | str:
    """Return what caused a state; a link to the message where its sender is in scope."""
    if change.kind == Change.Kind.DELIVERY:
        return f"delivery to {update.agr}"
    if change.message is None or not _is_seen(update, change.message.sender, seen):
        return source_name(change)
    return format_html("{}", link(change.message, source_name(change)))


def _is_seen(update: ReservationUpdate, sender: Sender, seen: Scope) -> bool:
    party = update.dso if sender.role == "DSO" else update.agr
    return party in seen


def siblings(update: ReservationUpdate) -> tuple[list[SiblingUpdate], bool]:
    """Return the updates for the same contract and Period, in their order, and whether there are more than listed."""
    rows = with_state(ReservationUpdate.objects.filter(contract=update.contract_id, period=update.period))
    found = list(rows.order_by("time_stamp", "id")[: MAX_ROWS + 1])
    return [
        SiblingUpdate(
            update=row,
            state=state_badge(state_of(row)),
            stamped=moment(row.time_stamp),
            received=moment(row.received_at),
            is_this_update=row.pk == update.pk,
        )
        for row in found[:MAX_ROWS]
    ], len(found) > MAX_ROWS


def pass_on_status(update: ReservationUpdate, site: AdminSite, seen: Scope) -> PassOnStatus | None:
    """Return the progress of passing the update on to the AGR; None where it is not passed on."""
    sent = OutboundMessage.objects.filter(
        passes_on=update.message_id, recipient_role="AGR", recipient_domain=update.agr.domain
    )
    message = with_earlier(sent).defer("sealed").first()
    if message is None:
        return None
    screen = OutboundMessageAdmin(OutboundMessage, site)
    if update.agr not in seen:
        return PassOnStatus("", screen.state_badge(message), "", "")
    return PassOnStatus(
        link(message, f"{message.message_type} to {update.agr}"),
        screen.state_badge(message),
        screen.next_step(message),
        screen.attempts_table(message),
    )


def agr_responses(update: ReservationUpdate, seen: Scope) -> list[SafeString]:
    """Return the copies of the AGR's responses in the update's conversation, earliest first.

    Each says whether it gave an outcome.
    """
    outcomes = update.states.filter(recorded_by__message__message_type=RESPONSE)
    effective = {row.recorded_by.message_id for row in outcomes.select_related("recorded_by")}
    received = InboundMessage.objects.filter(
        Q(pk__in=effective) | Q(conversation_id=update.message.conversation_id),
        message_type=RESPONSE,
        sender__role="AGR",
        sender__domain=update.agr.domain,
    )
    return list(
        _response_rows(received.defer("sealed").order_by("pk")[:MAX_ROWS], effective, update.agr in seen)
    )


def _response_rows(
    received: QuerySet[InboundMessage], effective: set[int | None], links: bool
) -> Iterator[SafeString]:
    for response in received:
        at = moment(response.received_at)
        effect = "it gave the outcome" if response.pk in effective else "it changed nothing"
        reason_text = f" ({response.reason})" if response.reason else ""
        yield format_html("{}: {}{}", link(response, at) if links else at, effect, reason_text)


def cro_responses(update: ReservationUpdate, seen: Scope) -> list[SafeString | str]:
    """Return this CRO's responses to the DSO; with link and delivery state where the DSO is in scope."""
    replies = update.message.replies.defer("sealed").order_by("pk")[:MAX_ROWS]
    return [
        format_html("{} {}", link(reply, reply.result), message_badge(reply.state, reply.get_state_display()))
        if update.dso in seen
        else reply.result
        for reply in replies
    ]
