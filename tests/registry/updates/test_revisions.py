"""The order of revisions (docs/rules.md S1 to S3), and which policies a late message meets (C10)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from participants.models import AuditEntry
from registry.changes import Source
from registry.market.policies import UnknownPolicy, in_force, set_policy
from registry.models import RevisionPlace
from registry.updates.publish import publish_representations
from registry.updates.revisions import advance, reset
from tests.registry.model_days import Line
from tests.registry.world import ADDRESSES, World, as_date
from uftp.handlers import Rejection

NOON = datetime(2030, 6, 12, 12, tzinfo=UTC)
UPDATE = "AGRPortfolioUpdate"


@pytest.fixture
def world(db: None) -> World:
    return World.start()


def accepted(
    world: World, *, sequence: int | None = None, minutes: int = 0, update_type: str = UPDATE
) -> bool:
    """Whether an update of agr-1 with this Sequence and a TimeStamp so many minutes after noon may pass."""
    try:
        advance(
            world.participants["agr-1"],
            update_type,
            sequence=sequence,
            time_stamp=NOON + timedelta(minutes=minutes),
        )
    except Rejection as rejection:
        return not rejection.reasons[0].startswith("Subordinate sequence number")
    return True


def test_S1_a_lower_sequence_is_subordinate_and_an_equal_one_passes(world: World) -> None:
    assert accepted(world, sequence=7)
    assert not accepted(world, sequence=6, minutes=9), "a later TimeStamp does not help"
    assert accepted(world, sequence=7)
    assert accepted(world, sequence=8, minutes=-9), "an earlier TimeStamp does not hurt"
    assert not accepted(world, sequence=7)


def test_S2_an_earlier_time_stamp_is_subordinate_and_an_equal_one_passes(world: World) -> None:
    assert accepted(world, minutes=5)
    assert not accepted(world, minutes=4)
    assert accepted(world, minutes=5)
    assert accepted(world, sequence=1, minutes=1), "like is compared with like"
    assert not accepted(world, minutes=4)


def test_S2_places_are_one_per_update_type(world: World) -> None:
    assert accepted(world, minutes=5)
    assert accepted(world, minutes=1, update_type="DSOPortfolioUpdate")


def test_S3_staff_reset_the_place_on_the_record(world: World) -> None:
    assert accepted(world, sequence=900, minutes=5)
    reset(world.participants["agr-1"], UPDATE, actor="clerk", reason="counter began anew")
    entry = AuditEntry.objects.get(action="reset revision place")
    assert (entry.actor, entry.reason) == ("clerk", "counter began anew")
    assert entry.before is not None
    assert entry.before["sequence"] == 900
    assert accepted(world, sequence=1, minutes=1)


def test_S3_imports_do_not_move_the_place(world: World) -> None:
    publish_representations(
        world.participants["agr-1"],
        [(ADDRESSES["home-1"], as_date(0), None)],
        today=as_date(0),
        source=Source.of_import("portfolio.csv"),
    )
    assert not RevisionPlace.objects.exists()


def test_C10_a_message_meets_the_policies_of_its_receipt(world: World) -> None:
    received = world.messages["agr-2"].received_at
    world.publish_representations("agr-1", [Line("home-1", 0, None)])
    set_policy("representation conflicts", "reject", actor="clerk", now=received + timedelta(seconds=1))
    assert world.publish_representations("agr-2", [Line("home-1", 0, None)]).accepted, "received before"
    world.messages["agr-3"].received_at = received + timedelta(seconds=2)
    assert not world.publish_representations("agr-3", [Line("home-1", 0, None)]).accepted, "received after"


def test_policies_are_named_freely_and_checked(db: None) -> None:
    assert set_policy("Representation_Conflicts", "newest-wins", actor="clerk") == (
        "representation conflicts",
        "newest wins",
    )
    assert in_force()["representation conflicts"] == "newest wins"
    entry = AuditEntry.objects.get(action="set policy")
    assert (entry.before, entry.after) == ({"value": "hold"}, {"value": "newest wins"})
    for name, value, said in (
        ("P8", "reject", "There is no policy 'P8'"),
        ("P3", "maybe", "P3 is one of: reject, adjust, accept"),
        ("P2 days", "-1", "P2 days takes a whole number"),
        ("P2 days", "1.5", "P2 days takes a whole number"),
    ):
        with pytest.raises(UnknownPolicy, match=said):
            set_policy(name, value, actor="clerk")
