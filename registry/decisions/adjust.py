"""Adjust the days of one current claim or of a congestion point's terms (docs/rules.md C13).

An adjustment is about the one row that staff selected, and takes its days literally. It moves no revision place.
`adjust` is one transaction that may lose a race: callers repeat it with `common.retry.retried`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.fields import DateRangeField
from django.db import connection, transaction
from django.db.models import Aggregate, Q, QuerySet
from psycopg.types.multirange import Multirange

from participants import audit
from participants.models import Participant
from registry.changes import Recorder, Source, lock_changed_connections, notice
from registry.decisions.unmet_days import unmet_days
from registry.market.policies import ACCEPT, HOLD, REJECT, Policies, in_force
from registry.models import (
    Change,
    CongestionPointConnection,
    CongestionPointTerms,
    Representation,
)
from registry.periods import Days, distance, half_open, in_words, last_day, list_in_words
from registry.previews import effects
from registry.queries.change_sources import source_in_words
from registry.sql.claim_kinds import MEMBERSHIP, REPRESENTATION, ClaimKind
from registry.sql.staging import prepare
from registry.updates import claims, clipping, points, standings, statements

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

Row = Representation | CongestionPointConnection | CongestionPointTerms

LOCK_POINT = "SELECT id FROM registry_congestionpoint WHERE id = %s FOR NO KEY UPDATE"

CHANGE_CLAIM = """
-- The claim of the row, with the new days in place of the row's.
INSERT INTO claim_change
SELECT point_id, party_id, connection_id, old, old - %(row_days)s::datemultirange + %(days)s::datemultirange
FROM (
    SELECT {point} AS point_id, c.{party} AS party_id, c.connection_id, range_agg(c.period) AS old
    FROM {claims} c
    WHERE c.connection_id = %(connection)s AND c.{party} = %(party)s AND {point} = %(point)s
        AND c.superseded_by_id IS NULL
    GROUP BY 1, 2, 3
) claim
WHERE old <> old - %(row_days)s::datemultirange + %(days)s::datemultirange
"""

MEASURE_ROW = """
-- The days of a congestion point. Of the requested days: those within them, those before the
-- first of them, and the others.
SELECT days, requested * days, requested * early, requested - days - early
FROM (
    SELECT coalesce(range_agg(period), '{}') AS days, %(requested)s::datemultirange AS requested,
        datemultirange(daterange(NULL, lower(range_agg(period)))) AS early
    FROM registry_congestionpointterms WHERE congestion_point_id = %(point)s AND superseded_by_id IS NULL
) point
"""

OTHER_TERMS = """
SELECT range_agg(period) FROM registry_congestionpointterms
WHERE congestion_point_id = %(point)s AND superseded_by_id IS NULL AND id <> %(row)s AND period && %(days)s
"""

STATE_POINT = """
INSERT INTO point_statement (point_id, days, replaces_from)
VALUES (%(point)s, datemultirange(%(days)s::daterange), lower(%(days)s::daterange))
"""

WANT_TERMS = """
-- The terms of the congestion point, with the new days in place of the row's.
INSERT INTO wanted_terms
SELECT congestion_point_id, unnest(range_agg(CASE WHEN id = %(row)s THEN %(days)s::daterange ELSE period END)),
    mutex_offers_supported, day_ahead_redispatch_by, intraday_redispatch_by
FROM registry_congestionpointterms
WHERE congestion_point_id = %(point)s AND superseded_by_id IS NULL
GROUP BY 1, 3, 4, 5
"""


class AdjustmentError(ValueError):
    """The row cannot have these days; the message says why, and what staff can do."""


@transaction.atomic
def adjust(
    row: Row, first: date, last: date | None, *, source: Source, today: date, expected: str | None = None
) -> int:
    """Adjust the days of a current row, and return the number of the change.

    Days that are claimed newly and that another party holds become contested, whatever the policy for messages. Days
    that are released pass to the claimant that has waited longest. The policies P3 and P4 decide about days of a
    membership outside its congestion point. A congestion point that gets shorter cuts the days of its connections.

    Args:
        row: The row whose days change.
        first: The first day it is to have.
        last: The last day it is to have (inclusive); None: open-ended.
        source: Who adjusts, and why.
        today: The market's day.
        expected: The fingerprint of the consequences that staff saw; None: they saw none.

    Returns:
        The number of the change.

    Raises:
        AdjustmentError: The row is not current, there is no reason, the last day lies before the first, the row has
            these days already, or it cannot have them.
        ConsequencesChanged: The adjustment would have other consequences than `expected`.
    """
    if not source.reason.strip():
        raise AdjustmentError("An adjustment needs a reason.")
    days = half_open(first, last)
    if days.isempty:
        raise AdjustmentError(f"The last day, {last}, lies before the first, {first}.")
    with connection.cursor() as cursor:
        prepare(cursor)
        _require_current(row)
        if days == row.period:
            raise AdjustmentError(f"Nothing changes: these are its days already ({in_words(days)}).")
        for day in dict.fromkeys((first, last_day(days))):
            if day and day not in (row.period.lower, last_day(row.period)) and (far := distance(day, today)):
                notice(f"{day} is {far}: is that meant?")
        recorder = Recorder(source)
        if isinstance(row, CongestionPointTerms):
            party = _adjust_terms(cursor, row, days, recorder, today)
        else:
            party = _adjust_claim(cursor, row, days, recorder, today)
    change = recorder.change_id()
    effects.require_same(change, expected)
    result = list_in_words(resulting_days(row, days, change))
    requested = {"asked for": in_words(days)} if result != in_words(days) else {}
    unmet = [each.in_words for each in unmet_days(row, [days], change)]
    audit.record(
        source.actor,
        "adjust period",
        _subject(row),
        {"days": in_words(row.period)},
        {
            "days": result,
            **requested,
            **({"of these": "; ".join(unmet)} if unmet else {}),
            "change": change,
        },
        source.reason,
        about=Change(pk=change),
        participants=[party],
    )
    recorder.stamp()
    return change


def resulting_days(row: Row, days: Days, change: int) -> Sequence[Days]:
    """Return the periods (half-open) of the row's claim or terms that share a day with `days`, as `change` left them.

    Neighbouring rows are joined. The result has fewer days than `days` where a policy cut a membership. It has more
    where rows of the same claim or terms became one.

    Args:
        row: The row that was adjusted; it may be superseded.
        days: The days that staff requested.
        change: The number of the change.
    """
    if isinstance(row, CongestionPointTerms):
        rows: QuerySet[Any] = CongestionPointTerms.objects.filter(congestion_point=row.congestion_point_id)
    elif isinstance(row, Representation):
        rows = Representation.objects.filter(connection=row.connection_id, agr=row.agr_id)
    else:
        rows = CongestionPointConnection.objects.filter(
            connection=row.connection_id, congestion_point=row.congestion_point_id
        )
    left = rows.filter(
        Q(superseded_by=None) | Q(superseded_by__gt=change), recorded_by__lte=change, period__overlap=days
    )
    found = left.aggregate(days=Aggregate("period", function="range_agg", output_field=DateRangeField()))
    return list(found["days"] or ())


def _adjust_claim(
    cursor: CursorWrapper,
    row: Representation | CongestionPointConnection,
    days: Days,
    recorder: Recorder,
    today: date,
) -> Participant:
    if isinstance(row, Representation):
        kind, party, point, wanted = REPRESENTATION, row.agr, 0, Multirange([days])
    else:
        kind, party, point = MEMBERSHIP, row.dso, row.congestion_point_id
        cursor.execute(LOCK_POINT, [point])
        _require_current(row)
        wanted = _within_point(cursor, row, days, in_force())

    parameters: dict[str, Any] = {
        "row_days": Multirange([row.period]),
        "days": wanted,
        "connection": row.connection_id,
        "party": party.pk,
        "point": point,
    }

    def compute(_: bool) -> None:
        _require_current(row)
        cursor.execute("DELETE FROM claim_change")
        cursor.execute(kind.sql(CHANGE_CLAIM), parameters)

    lock_changed_connections(cursor, compute)
    changed = _write_claims(cursor, kind, recorder, today)
    unchanged = [
        text for each in unmet_days(row, wanted, recorder.change_id()) if (text := each.unchanged_in_words)
    ]
    if not changed:
        raise AdjustmentError(
            f"Nothing changes: {party} claims {list_in_words(wanted)} of it already"
            f"{''.join(f'; it {text}' for text in unchanged)}."
        )
    for text in unchanged:
        notice(f"{party} {text}.")
    return party


def _adjust_terms(
    cursor: CursorWrapper, row: CongestionPointTerms, days: Days, recorder: Recorder, today: date
) -> Participant:
    point = row.congestion_point
    parameters: dict[str, Any] = {"point": point.pk, "row": row.pk, "days": days}
    cursor.execute(LOCK_POINT, [point.pk])
    _require_current(row)
    cursor.execute(OTHER_TERMS, parameters)
    (others,) = cursor.fetchone()
    if others:
        raise AdjustmentError(
            f"Other terms of this congestion point hold on {list_in_words(others)}: adjust these first."
        )
    cursor.execute(STATE_POINT, parameters)
    cursor.execute(WANT_TERMS, parameters)
    cursor.execute(points.POINT_DAYS)
    policies = in_force()
    lock_changed_connections(
        cursor,
        lambda _: statements.find_changes(
            cursor, MEMBERSHIP, policies, today=today, end_omitted=False, party=point.dso_id
        ),
    )
    for query, description in (
        (clipping.CLIPPED, "lose days with the congestion point"),
        (clipping.STILL_ENDED, "ended with the congestion point earlier and are not brought back"),
    ):
        cursor.execute(query)
        for _, count in cursor.fetchall():
            notice(f"Connections that {description}: {count:,}.")
    points.write(cursor, recorder, today=today)
    _write_claims(cursor, MEMBERSHIP, recorder, today)
    return point.dso


def _write_claims(cursor: CursorWrapper, kind: ClaimKind, recorder: Recorder, today: date) -> bool:
    """Judge and write the staged claims as under the policy `hold`; return whether there were any."""
    cursor.execute("SELECT EXISTS (SELECT FROM claim_change)")
    if not cursor.fetchone()[0]:
        return False
    change = recorder.change_id()
    standings.judge(cursor, kind, change=change, policy=HOLD, today=today)
    claims.write(cursor, kind, change=change, policy=HOLD, today=today)
    return True


def _within_point(
    cursor: CursorWrapper, row: CongestionPointConnection, days: Days, policies: Policies
) -> Multirange[date]:
    """Return the days that the policies leave to a membership (docs/rules.md P3, P4, P5).

    Args:
        cursor: A cursor in the transaction of the adjustment.
        row: The membership.
        days: The days that staff requested.
        policies: The policies in force.

    Raises:
        AdjustmentError: All days lie outside the congestion point's, or a policy is to reject such days.
    """
    parameters: dict[str, Any] = {"point": row.congestion_point_id, "requested": Multirange([days])}
    cursor.execute(MEASURE_ROW, parameters)
    point_days, within, early, outside = cursor.fetchone()
    exists = f"which has {list_in_words(point_days)}" if point_days else "which has no days"
    if not within:
        raise AdjustmentError(f"These days lie outside the congestion point's, {exists}.")
    left = list(within)
    for rule, strays, description in (
        ("P4", early, "start before the congestion point"),
        ("P3", outside, "end after the congestion point, or span a gap between its days"),
    ):
        if not strays:
            continue
        if policies[rule] == REJECT:
            raise AdjustmentError(
                f"These days {description}, {exists}, and the policy {rule} is to reject that."
            )
        if policies[rule] == ACCEPT:
            left += list(strays)
        else:
            notice(
                f"These days {description}, {exists}: by the policy {rule}, {list_in_words(strays)} is left out."
            )
    return Multirange(left)


def _require_current(row: Row) -> None:
    """Raise AdjustmentError when the row is superseded; the message says by which change."""
    (superseded_by,) = type(row).objects.filter(pk=row.pk).values_list("superseded_by", flat=True)
    if superseded_by is not None:
        change = (
            Change.objects.select_related("message__sender").defer("message__sealed").get(pk=superseded_by)
        )
        raise AdjustmentError(
            f"This row was superseded by change {change.pk} {source_in_words(change)}: nothing was adjusted."
            " Look at the current rows."
        )


def _subject(row: Row) -> str:
    if isinstance(row, Representation):
        return f"representation of {row.connection} by {row.agr}"
    if isinstance(row, CongestionPointConnection):
        return f"membership of {row.connection} in {row.congestion_point} of {row.dso}"
    return f"terms of {row.congestion_point} of {row.congestion_point.dso}"
