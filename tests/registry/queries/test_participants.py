"""What a participant is told, one test a rule (docs/rules.md Q1 to Q7), and the same as scripts see it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from registry.market.policies import in_force, set_policy
from registry.queries import participants as queries_participants
from registry.queries.snapshots import show_congestion_point, show_connection
from tests.registry.model_days import Line, Point
from tests.registry.world import ADDRESSES, World, as_date

TODAY = as_date(0)
OPEN = None


@pytest.fixture
def world(db: None) -> World:
    return World.start()


def addresses(*names: str) -> list[str]:
    return [ADDRESSES[name] for name in names]


def portfolio(
    world: World, agr: str, day: date = TODAY
) -> tuple[dict[tuple[str, str], list[str]], list[str]]:
    """An AGR's portfolio: connections by (DSO, congestion point), and those in none."""
    with transaction.atomic():
        portfolios, unallocated = queries_participants.portfolio(world.participants[agr], day)
        placed = {
            (dso.dso_domain, point.entity_address): list(point.connections)
            for dso in portfolios
            for point in dso.congestion_points
        }
        return placed, list(unallocated)


def behind(world: World, dso: str, point: str, day: date = TODAY) -> list[tuple[str, str | None]]:
    with transaction.atomic():
        registered = queries_participants.registered_point(world.participants[dso], ADDRESSES[point])
        assert registered is not None
        return list(queries_participants.point_connections(registered, day, in_force()))


def publish(world: World) -> None:
    """Two DSOs, two AGRs: home-1 and home-2 behind dso-1, home-2 contested there by dso-2, home-3 behind none."""
    world.publish_congestion_points(
        "dso-1", [Point("point-1", 0, OPEN, (Line("home-1", 0, OPEN), Line("home-2", 0, OPEN)))]
    )
    world.publish_congestion_points("dso-2", [Point("point-2", 0, OPEN, (Line("home-2", 0, OPEN),))])
    world.publish_representations(
        "agr-1", [Line("home-1", 0, OPEN), Line("home-2", 0, OPEN), Line("home-3", 0, OPEN)]
    )
    world.publish_representations("agr-2", [Line("home-1", 0, OPEN)])


def test_Q1_a_contested_claim_is_a_claim(world: World) -> None:
    publish(world)
    assert queries_participants.claims_any(world.participants["agr-2"], TODAY)
    assert not queries_participants.claims_any(world.participants["agr-2"], TODAY - timedelta(days=1))
    assert not queries_participants.claims_any(world.participants["agr-3"], TODAY)


def test_Q2_an_agr_sees_its_own_effective_connections_alone(world: World) -> None:
    publish(world)
    placed, _ = portfolio(world, "agr-1")
    assert placed == {("dso-1.example", ADDRESSES["point-1"]): addresses("home-1", "home-2")}
    assert portfolio(world, "agr-2") == ({}, []), "home-1 is contested and not effective for agr-2"
    assert portfolio(world, "agr-3") == ({}, [])


def test_Q2_a_connection_in_two_points_of_a_dso_is_listed_in_both(world: World) -> None:
    publish(world)
    world.publish_congestion_points("dso-1", [Point("point-2", 0, OPEN, (Line("home-1", 0, OPEN),))])
    placed, _ = portfolio(world, "agr-1")
    assert placed[("dso-1.example", ADDRESSES["point-2"])] == addresses("home-1")
    assert placed[("dso-1.example", ADDRESSES["point-1"])] == addresses("home-1", "home-2")


def test_Q3_connections_behind_no_point_come_separately(world: World) -> None:
    publish(world)
    assert portfolio(world, "agr-1")[1] == addresses("home-3")
    world.publish_congestion_points("dso-1", [Point("point-1", 0, 0, (Line("home-1", 0, OPEN),))])
    assert portfolio(world, "agr-1") == (
        {("dso-2.example", ADDRESSES["point-2"]): addresses("home-2")},
        addresses("home-1", "home-3"),
    )


def test_Q4_the_placeholder_is_under_the_cros_own_domain() -> None:
    placeholder = queries_participants.placeholder()
    (point,) = placeholder.congestion_points
    assert placeholder.dso_domain == "cro.example"
    assert point.entity_address == "ea1.2000-01.example.cro:none"
    assert list(point.connections) == ["ea1.2000-01.example.cro:none"]


def test_Q5_another_dsos_point_costs_the_same_and_is_unknown(world: World) -> None:
    publish(world)
    asking = world.participants["dso-2"]
    work = []
    for address in (ADDRESSES["point-1"], "ean.000000000000"):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert queries_participants.registered_point(asking, address) is None
        work.append([query["sql"].replace(address, "…") for query in captured.captured_queries])
    assert work[0] == work[1]


def test_Q5_a_point_withdrawn_altogether_is_no_longer_registered(world: World) -> None:
    publish(world)
    world.publish_congestion_points("dso-1", [Point("point-1", 0, -1)])
    assert queries_participants.registered_point(world.participants["dso-1"], ADDRESSES["point-1"]) is None


def test_Q6_a_dso_sees_who_is_effective_behind_its_point(world: World) -> None:
    publish(world)
    agr = "agr-1.example"
    assert behind(world, "dso-1", "point-1") == [(ADDRESSES["home-1"], agr), (ADDRESSES["home-2"], agr)]
    assert behind(world, "dso-2", "point-2") == [], "home-2 is contested there"
    assert behind(world, "dso-1", "point-1", TODAY - timedelta(days=1)) == []
    assert behind(world, "dso-1", "point-1", TODAY + timedelta(days=4000)) != []


def test_Q7_counts_tell_identities_of_agrs_and_numbers_alone(world: World) -> None:
    publish(world)
    world.publish_congestion_points("dso-1", [Point("point-1", 0, OPEN, (Line("home-4", 0, OPEN),))])
    set_policy("disclosure", "counts", actor="clerk")
    first, second = behind(world, "dso-1", "point-1"), behind(world, "dso-1", "point-1")
    assert sorted(agr or "" for _, agr in first) == ["", "agr-1.example", "agr-1.example"]
    names = {address for address, _ in first}
    assert len(names) == 3
    assert all(name.startswith("ea1.2000-01.example.cro:") for name in names)
    assert names.isdisjoint(address for address, _ in second), "not the same from query to query"


def test_connections_are_shown_on_a_day_with_inclusive_ends(world: World) -> None:
    publish(world)
    world.publish_representations("agr-1", [Line("home-1", 0, 9)])
    shown = show_connection(ADDRESSES["home-1"], on=TODAY + timedelta(days=10))
    assert shown["representations"] == [
        {"agr": "agr-2.example", "start": str(as_date(10)), "end": None, "standing": "effective"}
    ]
    shown = show_connection(ADDRESSES["home-1"], on=TODAY)
    assert [(row["agr"], row["end"], row["standing"]) for row in shown["representations"]] == [
        ("agr-1.example", str(as_date(9)), "effective"),
        ("agr-2.example", str(as_date(9)), "contested"),
    ]
    assert [(row["holder"], row["claimant"]) for row in shown["conflicts"]] == [
        ("agr-1.example", "agr-2.example")
    ]


def test_a_congestion_point_is_shown_with_the_agrs_of_the_day(world: World) -> None:
    publish(world)
    shown = show_congestion_point("dso-1.example", ADDRESSES["point-1"], on=TODAY)
    assert [(row["connection"], row["agr"]) for row in shown["connections"]] == [
        (ADDRESSES["home-1"], "agr-1.example"),
        (ADDRESSES["home-2"], "agr-1.example"),
    ]
    assert shown["terms"][0]["start"] == str(TODAY)
    assert shown["terms"][0]["end"] is None
