"""What the tables themselves refuse, and how the history reads (docs/rules.md C1, H1)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from threading import Event
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from common import locks
from registry.changes import Recorder, Source
from registry.models import (
    Change,
    CongestionPoint,
    CongestionPointConnection,
    CongestionPointTerms,
    Connection,
    Representation,
)
from registry.periods import half_open
from registry.queries.snapshots import show_connection
from tests.registry.model_days import Line
from tests.registry.world import ADDRESSES, World

YEAR = half_open(date(2030, 1, 1), date(2030, 12, 31))
SUMMER = half_open(date(2030, 6, 1), date(2030, 8, 31))
LATER = half_open(date(2031, 1, 1), None)


class Facts:
    """Rows of facts, written past the verbs."""

    def __init__(self) -> None:
        self.world = World.start()
        self.change = Change.objects.create(kind=Change.Kind.IMPORT)
        self.connection = Connection.objects.create(address="ean.871600000001")
        self.points = {
            name: CongestionPoint.objects.create(
                dso=self.world.participants[name], address="ean.872000000001"
            )
            for name in ("dso-1", "dso-2")
        }

    def represent(self, agr: str, **values: Any) -> None:
        Representation.objects.create(
            **{
                "agr": self.world.participants[agr],
                "connection": self.connection,
                "period": YEAR,
                "standing": "effective",
                "recorded_by": self.change,
                **values,
            }
        )

    def include(self, dso: str, **values: Any) -> None:
        CongestionPointConnection.objects.create(
            **{
                "congestion_point": self.points[dso],
                "dso": self.world.participants[dso],
                "connection": self.connection,
                "period": YEAR,
                "standing": "effective",
                "recorded_by": self.change,
                **values,
            }
        )


@pytest.fixture
def facts(db: None) -> Facts:
    return Facts()


def refused(constraint: str) -> Any:
    return pytest.raises(IntegrityError, match=constraint)


def test_C1_one_effective_agr_a_day(facts: Facts) -> None:
    facts.represent("agr-1")
    facts.represent("agr-2", period=LATER)
    facts.represent("agr-2", period=SUMMER, standing="contested", waiting_since=facts.change)
    facts.represent("agr-3", period=SUMMER, superseded_by=facts.change)
    with refused("one_effective_agr_a_day"), transaction.atomic():
        facts.represent("agr-3", period=SUMMER)


def test_C1_one_exclusive_dso_a_day(facts: Facts) -> None:
    facts.include("dso-1")
    facts.include("dso-2", exclusive=False, period=SUMMER)
    with refused("one_exclusive_dso_a_day"), transaction.atomic():
        facts.include("dso-2", period=half_open(date(2030, 12, 31), None))


def test_C1_one_membership_and_one_terms_a_day(facts: Facts) -> None:
    facts.include("dso-1")
    with refused("one_membership_a_day"), transaction.atomic():
        facts.include("dso-1", period=SUMMER, standing="contested", waiting_since=facts.change)

    def set_terms() -> None:
        CongestionPointTerms.objects.create(
            congestion_point=facts.points["dso-1"],
            period=YEAR,
            mutex_offers_supported=True,
            day_ahead_redispatch_by="AGR",
            recorded_by=facts.change,
        )

    set_terms()
    with refused("one_terms_a_day"), transaction.atomic():
        set_terms()


def test_C1_a_claim_waits_exactly_while_it_does_not_count(facts: Facts) -> None:
    with refused("representation_waits_unless_effective"), transaction.atomic():
        facts.represent("agr-1", standing="contested")
    with refused("representation_waits_unless_effective"), transaction.atomic():
        facts.represent("agr-1", waiting_since=facts.change)
    with refused("membership_waits_unless_effective"), transaction.atomic():
        facts.include("dso-1", standing="refused", given_to=facts.world.participants["dso-2"])


def test_C3_a_current_claim_names_the_party_that_its_days_were_given_to_exactly_while_it_is_refused(
    facts: Facts,
) -> None:
    other = facts.world.participants["dso-2"]
    waits = {"waiting_since": facts.change}
    with refused("membership_refused_to_a_party"), transaction.atomic():
        facts.include("dso-1", standing="refused", **waits)
    with refused("membership_refused_to_a_party"), transaction.atomic():
        facts.include("dso-1", standing="contested", given_to=other, **waits)
    with refused("representation_refused_to_a_party"), transaction.atomic():
        facts.represent("agr-1", given_to=facts.world.participants["agr-2"])
    facts.include("dso-1", standing="refused", given_to=other, **waits)


@pytest.mark.parametrize("say", ["represent", "include"])
def test_C1_a_claim_has_days(facts: Facts, say: str) -> None:
    nothing = half_open(date(2030, 1, 2), date(2030, 1, 1))
    party = {"represent": "agr-1", "include": "dso-1"}[say]
    with refused("has_days"), transaction.atomic():
        getattr(facts, say)(party, period=nothing)


def test_H1_moments_follow_one_another_and_the_same_again_changes_nothing(world: World) -> None:
    for last in (9, 8, 8, 7):
        world.publish_representations("agr-1", [Line("home-1", 0, last)])
    moments = list(Change.objects.order_by("id").values_list("moment", flat=True))
    assert len(moments) == 3, "saying the same again is no change"
    assert None not in moments
    assert moments == sorted(set(moments))
    rows = Representation.objects.filter(connection__address=ADDRESSES["home-1"])
    assert [rows.known_at(moment).count() for moment in moments] == [1, 1, 1]
    assert rows.count() == 3, "nothing is overwritten or deleted"


def test_H1_what_was_known_waits_for_changes_that_are_being_committed(world: World) -> None:
    """A change that has its moment, but is not committed yet, belongs to the answer for any later moment."""
    stamped, may_commit = Event(), Event()

    def publish() -> None:
        with transaction.atomic():
            world.publish_representations("agr-1", [Line("home-1", 0, None)])
            stamped.set()
            may_commit.wait(30)
        connection.close()

    def look() -> int:
        try:
            shown = show_connection(ADDRESSES["home-1"], known_at=datetime.now(UTC))
            return len(shown["representations"])
        finally:
            connection.close()

    Connection.objects.create(address=ADDRESSES["home-1"])
    with ThreadPoolExecutor(2) as threads:
        publishing = threads.submit(publish)
        assert stamped.wait(30)
        looking = threads.submit(look)
        with pytest.raises(TimeoutError):
            looking.result(0.5)
        may_commit.set()
        publishing.result(30)
        assert looking.result(30) == 1


def test_H1_foreign_keys_are_checked_before_a_turn_for_the_moment_is_awaited(world: World) -> None:
    """The checks of a million rows take seconds, in which no other change could end."""
    with transaction.atomic():
        recorder = Recorder(Source.of_import("false.csv"))
        place = Connection.objects.create(address=ADDRESSES["home-1"])
        Representation.objects.create(
            agr_id=0, connection=place, period=YEAR, standing="effective", recorded_by_id=recorder.change_id()
        )
        with pytest.raises(IntegrityError, match="agr_id"), transaction.atomic():
            recorder.stamp([])
        transaction.set_rollback(True)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_database AS here ON here.oid = database"
            " WHERE objid = %s AND datname = current_database()",
            [locks.MOMENT],
        )
        assert cursor.fetchone() == (0,)
