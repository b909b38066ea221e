"""The registry's commands, as scripts and operators call them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command

from participants.models import AuditEntry
from registry.models import Change, Conflict
from tests.registry.model_days import Line, Point
from tests.registry.world import ADDRESSES, World, as_date

HOME = ADDRESSES["home-1"]
Run = Callable[..., str]


@pytest.fixture
def run(transactional_db: None) -> Run:
    """Runs a command and gives what it printed."""

    def called(*arguments: str) -> str:
        out = StringIO()
        call_command(*arguments, stdout=out)
        return out.getvalue()

    return called


@pytest.fixture
def contested(run: Run) -> int:
    """The number of an open conflict: agr-2 claims home-1, which agr-1 holds from day 0 on."""
    world = World.start()
    world.publish_representations("agr-1", [Line("home-1", 0, None)])
    world.publish_representations("agr-2", [Line("home-1", 0, None)])
    return Conflict.objects.get(closed_by=None).pk


def standings(run: Run, day: int, *more: str) -> dict[str, str]:
    shown = json.loads(run("show_connection", HOME, "--on", str(as_date(day)), "--json", *more))
    return {row["agr"]: row["standing"] for row in shown["representations"]}


def test_conflicts_are_listed(run: Run, contested: int) -> None:
    (listed,) = json.loads(run("list_conflicts", "--open", "--json"))
    assert (listed["id"], listed["kind"], listed["connection"]) == (contested, "representation", HOME)
    assert (listed["holder"], listed["claimant"]) == ("agr-1.example", "agr-2.example")
    assert (listed["start"], listed["end"]) == (str(as_date(0)), None)
    assert f"holder agr-1.example · claimant agr-2.example · start {as_date(0)} · end open" in run(
        "list_conflicts"
    )


@pytest.mark.parametrize(
    ("arguments", "holds", "is_refused"),
    [
        (["keep"], "agr-1.example", "agr-2.example"),
        (["give"], "agr-2.example", "agr-1.example"),
        (["split", "--at", str(as_date(5))], "agr-2.example", "agr-1.example"),
        (["split", "--at", str(as_date(9))], "agr-1.example", "agr-2.example"),
    ],
    ids=["keep", "give", "split-before-the-day", "split-after-the-day"],
)
def test_C9_a_conflict_is_settled(
    run: Run, contested: int, arguments: list[str], holds: str, is_refused: str
) -> None:
    decision, *rest = arguments
    run("settle_conflict", str(contested), decision, *rest, "--reason", "the contract says so")
    assert standings(run, 6) == {holds: "effective", is_refused: "refused"}
    assert json.loads(run("list_conflicts", "--open", "--json")) == []
    (settled,) = json.loads(run("list_conflicts", "--json"))
    assert (settled["decision"], settled["reason"]) == (decision, "the contract says so")
    assert settled["decided_by"].startswith("command line")
    closed_at = datetime.fromisoformat(settled["closed_at"])
    assert closed_at.utcoffset() == closed_at.astimezone(ZoneInfo("Europe/Amsterdam")).utcoffset()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{id}", "split"], "A split needs a day within from"),
        (["{id}", "split", "--at", str(as_date(0))], "after its first"),
        (["{id}", "split", "--at", str(as_date(-1))], "A split needs a day within"),
        (["{id}", "keep", "--at", str(as_date(3))], "A day goes with split alone"),
        (["0", "keep"], "There is no conflict 0"),
    ],
)
def test_C9_what_cannot_be_settled_is_said(run: Run, contested: int, arguments: list[str], said: str) -> None:
    filled = [argument.format(id=contested) for argument in arguments]
    with pytest.raises(CommandError, match=said):
        run("settle_conflict", *filled, "--reason", "because")
    with pytest.raises(CommandError, match="needs a reason"):
        run("settle_conflict", str(contested), "keep", "--reason", "  ")
    assert Conflict.objects.get(closed_by=None).decision == ""


def test_C9_a_settled_conflict_is_settled_once(run: Run, contested: int) -> None:
    run("settle_conflict", str(contested), "give", "--reason", "first")
    with pytest.raises(CommandError, match="is closed"):
        run("settle_conflict", str(contested), "keep", "--reason", "second")
    assert standings(run, 0)["agr-2.example"] == "effective"


def test_C12_a_settled_conflict_is_decided_anew(run: Run, contested: int) -> None:
    with pytest.raises(CommandError, match=f"Conflict {contested} is open: settle it"):
        run("settle_conflict", str(contested), "keep", "--anew", "--reason", "at once")
    run("settle_conflict", str(contested), "keep", "--reason", "first")
    told = run("settle_conflict", str(contested), "give", "--anew", "--reason", "second")
    assert told == f"Conflict {contested} is decided again: give.\n"
    assert standings(run, 0)["agr-2.example"] == "effective"
    former, replacing = json.loads(run("list_conflicts", "--json"))
    assert (former["decision"], former["replaces"]) == ("keep", None)
    assert (replacing["decision"], replacing["replaces"], replacing["reason"]) == (
        "give",
        contested,
        "second",
    )


def test_H1_a_connection_is_shown_as_it_was_known(run: Run, contested: int) -> None:
    before = Change.objects.get(pk=Conflict.objects.get().opened_by_id).moment
    assert before is not None
    run("settle_conflict", str(contested), "give", "--reason", "because")
    assert standings(run, 0) == {"agr-1.example": "refused", "agr-2.example": "effective"}
    then = ("--known-at", before.isoformat())
    assert standings(run, 0, *then) == {"agr-1.example": "effective", "agr-2.example": "contested"}
    (conflict,) = json.loads(run("show_connection", HOME, "--json", *then))["conflicts"]
    later = ("closed_at", "decision", "split_at", "decided_by", "reason")
    assert [conflict[name] for name in later] == [None] * 5, "how it ended was not known then"


def test_a_day_that_something_was_known_at_is_its_end_in_the_markets_zone(
    run: Run, contested: int, stop_clock: Callable[[datetime], None]
) -> None:
    stamps = ("2026-05-31T22:30:00Z", "2026-06-01T21:59:59.9Z", "2026-06-02T08:00:00.5Z")
    moments = list(map(datetime.fromisoformat, stamps))
    run("settle_conflict", str(contested), "give", "--reason", "because")
    changes = list(Change.objects.order_by("pk"))
    assert len(changes) == len(moments)
    for change, moment in zip(changes, moments, strict=True):
        change.moment = moment
        change.save()
    stop_clock(datetime.fromisoformat("2026-06-02T10:00:00+02:00"))
    nobody: dict[str, str] = {}
    first = {"agr-1.example": "effective"}
    both = {"agr-1.example": "effective", "agr-2.example": "contested"}
    settled = {"agr-1.example": "refused", "agr-2.example": "effective"}
    for asked, found in {
        "2026-05-31": nobody,
        "2026-06-01": both,
        "2026-06-02": settled,  # today: the present
        "2026-05-31T22:30:00Z": first,
        "2026-06-01T00:30:00": first,  # in the market's time zone
        "2026-06-01T00:29:59": nobody,
        "2026-06-02T00:30:00+02:00": both,
        "2026-06-01T23:59:58+02:00": first,
        "2026-06-01T23:59:59+02:00": both,  # to the end of the second
        "2026-06-01T23:59:59.8+02:00": first,
        "20260602T100000+0200": settled,
    }.items():
        assert standings(run, 0, "--known-at", asked) == found, asked
    shown = json.loads(run("show_connection", HOME, "--json", "--known-at", "2026-06-01"))
    assert shown["known_at"] == "2026-06-01T23:59:59+02:00"
    shown = json.loads(run("show_connection", HOME, "--json", "--known-at", "2026-06-01T23:59:59.5"))
    assert shown["known_at"] == "2026-06-01T23:59:59.500000+02:00"
    point = ("show_congestion_point", "dso-1.example", ADDRESSES["point-1"], "--known-at")
    for far in ("0001-01-01", "0001-01-01T00:00:00+14:00"):
        with pytest.raises(CommandError, match="has never registered"):
            run(*point, far)


def test_a_congestion_point_is_shown(run: Run) -> None:
    world = World.start()
    world.publish_congestion_points("dso-1", [Point("point-1", 0, 9, (Line("home-1", 2, 5),))])
    shown = json.loads(run("show_congestion_point", "dso-1.example", ADDRESSES["point-1"], "--json"))
    assert shown["terms"] == [
        {
            "start": str(as_date(0)),
            "end": str(as_date(9)),
            "mutex_offers_supported": False,
            "day_ahead_redispatch_by": "AGR",
            "intraday_redispatch_by": None,
        }
    ]
    (connection,) = shown["connections"]
    assert (connection["connection"], connection["start"], connection["end"]) == (
        HOME,
        str(as_date(2)),
        str(as_date(5)),
    )
    assert "terms: 1" in run("show_congestion_point", "dso-1.example", ADDRESSES["point-1"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["show_connection", "ean.000000000000"],
            "No connection 'ean.000000000000' has ever been registered",
        ),
        (["show_connection", HOME, "--on", "tomorrow"], "'tomorrow' is not a day"),
        (["show_connection", HOME, "--known-at", "then"], "'then' is not a moment"),
        (
            ["show_congestion_point", "dso-1.example", "ean.000000000000"],
            "has never registered a congestion point",
        ),
        (["set_policy", "P3"], "set_policy NAME VALUE"),
        (["set_policy", "P3", "maybe"], "P3 is one of: reject, adjust, accept"),
        (["set_market"], "Give --time-zone, --isp-duration or both"),
        (["set_market", "--time-zone", "Mars/Olympus"], "is not in the IANA time zone database"),
    ],
)
def test_wrong_arguments_are_explained(run: Run, arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(*arguments)


def test_policies_and_the_market_are_set_on_the_record(run: Run) -> None:
    assert (
        run("set_policy", "representation-conflicts", "newest-wins")
        == "representation conflicts: newest wins\n"
    )
    assert "representation conflicts: newest wins   (An AGR claims" in run("set_policy")
    assert run("set_market", "--time-zone", "Europe/Lisbon") == "The market: Europe/Lisbon, PT15M.\n"
    assert set(AuditEntry.objects.values_list("action", flat=True)) == {"set policy", "set market"}
