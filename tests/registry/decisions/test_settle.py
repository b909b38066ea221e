"""Staff settle conflicts: one, many as one, and one that was decided before; and are told what comes of it."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from common import locks
from common.previews import ConsequencesChanged
from common.retry import retried
from participants.models import AuditEntry
from registry.changes import Source
from registry.decisions.history import Refusable, refusals
from registry.decisions.settle import DecisionError, settle_many, similar_conflicts
from registry.models import Change, Conflict, Representation
from registry.previews.effects import of_change, preview
from tests.registry.decisions.decisions import (
    BY_KIM,
    decide,
    decide_many,
    effect_lines,
    membership,
    previewed,
    representation,
)
from tests.registry.dsl import agr_publishes, conflicts, days, dso_publishes, point
from tests.registry.world import CONNECTIONS, World, as_date, assert_sound, open_conflicts


@pytest.fixture
def world(db: None) -> World:
    return World.start()


@pytest.fixture
def contested(world: World) -> Conflict:
    """agr-1 holds home-1 from day 0 on, agr-2 contests days 2 to 9."""
    agr_publishes(world, "agr-1", ("home-1", 0, None))
    agr_publishes(world, "agr-2", ("home-1", 2, 9))
    return open_conflicts().get()


@pytest.fixture
def many(world: World) -> Conflict:
    """agr-1 holds all homes from day 0 on; one message of agr-2's contests them from day 2 on. One of the conflicts."""
    agr_publishes(world, "agr-1", *((home, 0, None) for home in CONNECTIONS))
    agr_publishes(world, "agr-2", *((home, 2, None) for home in CONNECTIONS))
    conflict = open_conflicts().first()
    assert conflict is not None
    return conflict


def refusing_decision(claim: Refusable) -> Conflict | None:
    """The decision that refused this one claim."""
    return refusals([claim]).get(claim)


def written() -> tuple[int, ...]:
    """How many rows there are of what a decision writes."""
    return tuple(model.objects.count() for model in (Change, Conflict, Representation, AuditEntry))


# One


def test_C9_the_decision_is_on_the_record_with_both_parties(world: World, contested: Conflict) -> None:
    change = decide(world, contested, "split", 5)
    assert days(world, "agr-1", "home-1") == "effective 0..4, refused 5..9, effective 10.."
    assert days(world, "agr-2", "home-1") == "refused 2..4, effective 5..9"
    contested.refresh_from_db()
    assert (contested.closed_by_id, contested.decision, contested.split_at) == (change, "split", as_date(5))
    assert (contested.decided_by, contested.reason) == ("kim", "agreed by telephone")
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.reason, entry.action) == ("kim", "agreed by telephone", "settle conflict")
    assert entry.participants == sorted([contested.holder_id, contested.claimant_id])


def test_C9_who_settled_it_meanwhile_is_told(world: World, contested: Conflict) -> None:
    decide(world, contested, "give", source=Source.of_staff("lee", "moved house"))
    with pytest.raises(DecisionError) as refused:
        decide(world, contested, "keep")
    said = str(refused.value)
    assert said.startswith(f"Conflict {contested.pk} is closed: it was settled by lee on 20")
    assert "AGR agr-2.example gets the days." in said
    assert said.endswith("To reverse it, decide it again.")


def test_C9_what_ended_it_meanwhile_is_told(world: World, contested: Conflict) -> None:
    agr_publishes(world, "agr-2", ("home-1", 9, 1))
    with pytest.raises(
        DecisionError, match="no longer contested since a change by AGRPortfolioUpdate of AGR agr-2"
    ):
        decide(world, contested, "keep")


def test_C9_a_decision_is_between_the_two_it_names_where_several_hold_the_day(world: World) -> None:
    """The policy let dso-2 count beside dso-1; then it holds what others claim, and dso-3 contests the day."""
    world.add("dso-3")
    dso_publishes(world, "dso-1", point("point-1", 0, None, ("home-1", 0, None)))
    world.set_policy("membership conflicts", "allow")
    dso_publishes(world, "dso-2", point("point-1", 0, None, ("home-1", 0, None)))
    world.set_policy("membership conflicts", "hold")
    dso_publishes(world, "dso-3", point("point-1", 0, None, ("home-1", 0, None)))
    assert conflicts(world) == ["home-1: dso-3 against dso-1, 0.."]
    conflict = open_conflicts().get()
    kept = previewed(lambda: decide(world, conflict, "keep"))
    assert effect_lines(kept) == ["dso-3 point-1 home-1: refused 0.."]
    decide(world, conflict, "give")
    assert_sound()
    assert days(world, "dso-1", "point-1", "home-1") == "refused 0.."
    assert days(world, "dso-2", "point-1", "home-1") == "effective 0.."
    assert days(world, "dso-3", "point-1", "home-1") == "effective 0.."
    assert conflicts(world) == []
    decide(world, conflict, "keep", anew=True)
    assert_sound()
    assert days(world, "dso-1", "point-1", "home-1") == "effective 0.."
    assert days(world, "dso-2", "point-1", "home-1") == "effective 0.."
    assert days(world, "dso-3", "point-1", "home-1") == "refused 0.."


# Many


def test_C11_what_one_message_contests_is_settled_as_one(world: World, many: Conflict) -> None:
    agr_publishes(world, "agr-3", ("home-1", 2, None))
    assert similar_conflicts(many).count() == len(CONNECTIONS)
    change = decide_many(world, similar_conflicts(many), "split", 5)
    assert_sound()
    for home in CONNECTIONS:
        assert days(world, "agr-1", home) == "effective 0..4, refused 5.."
        assert days(world, "agr-2", home) == "refused 2..4, effective 5.."
    assert conflicts(world) == ["home-1: agr-3 against agr-1, 2..4", "home-1: agr-3 against agr-2, 5.."]
    settled = Conflict.objects.filter(closed_by=change, decision="split")
    assert settled.count() == len(CONNECTIONS)
    assert {(row.decided_by, row.reason, row.split_at) for row in settled} == {
        ("kim", "agreed by telephone", as_date(5))
    }
    entry = AuditEntry.objects.get()
    assert entry.subject == "4 conflicts between AGR agr-1.example and AGR agr-2.example"
    assert entry.participants == sorted([many.holder_id, many.claimant_id])


def test_C11_conflicts_that_are_closed_are_counted_and_nothing_is_settled(
    world: World, many: Conflict
) -> None:
    numbers = list(similar_conflicts(many).values_list("pk", flat=True))
    decide(world, many, "give", source=Source.of_staff("lee", "moved house"))
    agr_publishes(world, "agr-2", ("home-1", 9, 1), ("home-2", 9, 1))
    before = written()
    with pytest.raises(DecisionError) as refused:
        decide_many(world, Conflict.objects.filter(pk__in=numbers), "keep")
    said = str(refused.value)
    assert "closed meanwhile" in said
    assert "1 by lee on 20" in said
    assert "by AGRPortfolioUpdate of AGR agr-2.example on 20" in said
    assert written() == before


def test_C11_all_are_of_one_kind_and_between_the_same_two(world: World, many: Conflict) -> None:
    agr_publishes(world, "agr-3", ("home-1", 0, None))
    before = written()
    with pytest.raises(DecisionError, match="of 2 sorts"):
        decide_many(world, open_conflicts(), "keep")
    with pytest.raises(DecisionError, match="no conflicts"):
        decide_many(world, Conflict.objects.none(), "keep")
    with pytest.raises(DecisionError, match="no conflicts"):
        decide_many(world, Conflict.objects.filter(pk=0), "keep")
    with pytest.raises(DecisionError, match="needs a reason"):
        decide_many(world, similar_conflicts(many), "keep", source=Source.of_staff("kim", " "))
    assert written() == before


def test_C11_a_split_lies_within_each_of_them(world: World) -> None:
    agr_publishes(world, "agr-1", *((home, 0, None) for home in CONNECTIONS))
    agr_publishes(world, "agr-2", ("home-1", 2, 9), ("home-2", 5, None), ("home-3", 0, 4), ("home-4", 4, 6))
    with pytest.raises(DecisionError, match=f"{as_date(5)} does not split 2 of the 4 conflicts"):
        decide_many(world, open_conflicts(), "split", 5)
    with pytest.raises(DecisionError, match="A split needs a day"):
        decide_many(world, open_conflicts(), "split")


def test_C11_a_slice_of_a_list_is_settled_too(world: World, many: Conflict) -> None:
    decide_many(world, similar_conflicts(many).order_by("connection__address")[:2], "give")
    assert [days(world, "agr-2", home) for home in CONNECTIONS] == 2 * ["effective 2.."] + 2 * [
        "contested 2.."
    ]


def test_alike_are_those_of_the_same_message_and_parties(world: World, many: Conflict) -> None:
    agr_publishes(world, "agr-2", ("home-1", 9, 1))
    agr_publishes(world, "agr-3", *((home, 2, None) for home in CONNECTIONS))
    assert {
        row.connection.address
        for row in similar_conflicts(open_conflicts().filter(claimant=many.claimant_id)[0])
    } == {row.connection.address for row in open_conflicts().filter(claimant=many.claimant_id)}
    assert similar_conflicts(many).filter(claimant=world.participants["agr-3"]).count() == 0


# Again


def test_C12_a_decision_is_replaced_and_nothing_erased(world: World, contested: Conflict) -> None:
    first = decide(world, contested, "keep")
    change = decide(world, contested, "give", anew=True, source=Source.of_staff("lee", "was wrong"))
    assert days(world, "agr-1", "home-1") == "effective 0..1, refused 2..9, effective 10.."
    assert days(world, "agr-2", "home-1") == "effective 2..9"
    contested.refresh_from_db()
    assert (contested.decision, contested.decided_by, contested.closed_by_id) == ("keep", "kim", first)
    replacing = Conflict.objects.get(replaces=contested)
    assert (replacing.opened_by_id, replacing.closed_by_id) == (change, change)
    assert (replacing.decision, replacing.decided_by, replacing.reason) == ("give", "lee", "was wrong")
    assert (replacing.period, replacing.holder, replacing.claimant) == (
        contested.period,
        contested.holder,
        contested.claimant,
    )
    assert AuditEntry.objects.filter(action="settle conflict anew", actor="lee").count() == 1
    decide(world, replacing, "split", 4, anew=True)
    assert days(world, "agr-2", "home-1") == "refused 2..3, effective 4..9"


def test_C12_only_the_latest_decision_about_the_days_is_replaced(world: World, contested: Conflict) -> None:
    decide(world, contested, "keep")
    decide(world, contested, "give", anew=True)
    with pytest.raises(DecisionError) as refused:
        decide(world, contested, "keep", anew=True)
    later = Conflict.objects.get(replaces=contested)
    assert f"decided later, in conflict {later.pk}, by kim on 20" in str(refused.value)
    assert Conflict.objects.filter(replaces__isnull=False).count() == 1


def test_C12_days_of_others_and_days_let_go_stay_out(world: World, contested: Conflict) -> None:
    decide(world, contested, "keep")
    agr_publishes(world, "agr-2", ("home-1", 2, 7))
    agr_publishes(world, "agr-3", ("home-1", 2, 3))
    decide(world, open_conflicts().get(claimant__domain="agr-3.example"), "give")
    decide(world, contested, "give", anew=True)
    assert days(world, "agr-1", "home-1") == "effective 0..1, refused 2..7, effective 8.."
    assert days(world, "agr-2", "home-1") == "contested 2..3, effective 4..7"
    assert days(world, "agr-3", "home-1") == "effective 2..3"
    replacing = Conflict.objects.get(replaces=contested)
    assert (replacing.period.lower, replacing.period.upper) == (as_date(4), as_date(8))


def test_C12_days_apart_are_decided_as_one(world: World, contested: Conflict) -> None:
    decide(world, contested, "keep")
    agr_publishes(world, "agr-3", ("home-1", 4, 5))
    decide(world, open_conflicts().get(), "give")
    decide(world, contested, "split", 7, anew=True)
    assert days(world, "agr-2", "home-1") == "refused 2..3, contested 4..5, refused 6..6, effective 7..9"
    rows = Conflict.objects.filter(replaces=contested).order_by("period")
    assert [(row.decision, row.split_at) for row in rows] == [("keep", None), ("split", as_date(7))]
    with pytest.raises(DecisionError, match="A split needs a day within"):
        decide(world, rows[0], "split", 7, anew=True)


@pytest.mark.parametrize(("decision", "at"), [("keep", None), ("give", None), ("split", 5)])
def test_C12_what_is_so_already_is_not_decided_again(
    world: World, contested: Conflict, decision: str, at: int | None
) -> None:
    decide(world, contested, decision, at)
    before = written()
    with pytest.raises(DecisionError, match="It is so already"):
        decide(world, contested, decision, at, anew=True)
    assert written() == before


def test_C12_a_refusal_against_a_third_is_not_decided_again(world: World) -> None:
    """dso-1 got the day once and holds it again, but dso-3 is refused it against dso-2 by now."""
    home = ("home-1", 0, None)
    dso_publishes(world, "dso-1", point("point-1", 0, None, home))
    dso_publishes(world, "dso-3", point("point-1", 0, None, home))
    first = open_conflicts().get()
    decide(world, first, "keep")
    world.set_policy("membership conflicts", "allow")
    dso_publishes(world, "dso-2", point("point-1", 0, None, home))
    dso_publishes(world, "dso-1", point("point-1", 0, None, ("home-1", 9, -1)))
    second = open_conflicts().get()
    assert conflicts(world) == ["home-1: dso-3 against dso-2, 0.."]
    decide(world, second, "keep")
    dso_publishes(world, "dso-1", point("point-1", 0, None, home))
    refused = membership("dso-3", "point-1")
    assert refused.given_to == world.participants["dso-2"]
    assert refusing_decision(refused) == second
    with pytest.raises(DecisionError, match="is by now another's, or counts for both"):
        decide(world, first, "give", anew=True)
    decide(world, second, "give", anew=True)
    assert days(world, "dso-1", "point-1", "home-1") == "effective 0.."
    assert days(world, "dso-2", "point-1", "home-1") == "refused 0.."
    assert_sound()


def test_C12_why_nothing_is_left_to_decide_is_said(world: World, contested: Conflict) -> None:
    with pytest.raises(DecisionError, match="is open: settle it"):
        decide(world, contested, "give", anew=True)
    decide(world, contested, "keep")
    with transaction.atomic():
        agr_publishes(world, "agr-2", ("home-1", 9, 1))
        with pytest.raises(DecisionError, match=r"AGR agr-2\.example no longer claims these days"):
            decide(world, contested, "give", anew=True)
        transaction.set_rollback(True)
    agr_publishes(world, "agr-3", ("home-1", 0, None))
    decide(world, open_conflicts().get(), "give")
    assert days(world, "agr-2", "home-1") == "contested 2..9"
    with pytest.raises(DecisionError, match="is by now another's"):
        decide(world, contested, "give", anew=True)
    agr_publishes(world, "agr-3", ("home-1", 0, -1))
    assert conflicts(world) == ["home-1: agr-1 against agr-2, 2..9"]
    with pytest.raises(DecisionError, match="is contested again; settle the conflict that is open"):
        decide(world, contested, "give", anew=True)
    ended = open_conflicts().get()
    agr_publishes(world, "agr-2", ("home-1", 9, 1))
    with pytest.raises(
        DecisionError, match=r"ended without a decision by AGRPortfolioUpdate of AGR agr-2\.example"
    ):
        decide(world, ended, "give", anew=True)


def test_C12_other_claimants_contest_it_with_who_gets_the_days(world: World, contested: Conflict) -> None:
    decide(world, contested, "keep")
    agr_publishes(world, "agr-3", ("home-1", 2, None))
    decide(world, open_conflicts().get(), "keep")
    decide(world, contested, "give", anew=True)
    assert days(world, "agr-3", "home-1") == "contested 2..9, refused 10.."
    assert conflicts(world) == ["home-1: agr-3 against agr-2, 2..9"]
    assert_sound()


# Refused days and the decision behind them


def test_a_refused_day_names_the_decision_that_refused_it(world: World, contested: Conflict) -> None:
    decide(world, contested, "split", 5)
    assert refusing_decision(representation("agr-2", day=3)) == contested
    assert refusing_decision(representation("agr-1", day=6)) == contested
    assert refusing_decision(representation("agr-1", day=0)) is None
    decide(world, contested, "keep", anew=True)
    replacing = Conflict.objects.get(replaces=contested)
    assert refusing_decision(representation("agr-2", day=6)) == replacing


def test_a_refused_day_names_the_latest_of_several_decisions(world: World, contested: Conflict) -> None:
    decide(world, contested, "keep")
    for decision in ("give", "keep"):
        latest = Conflict.objects.exclude(decision="").latest("pk")
        decide(world, latest, decision, anew=True)
    latest = Conflict.objects.latest("pk")
    assert latest.replaces_id not in (None, contested.pk)
    assert refusing_decision(representation("agr-2", day=3)) == latest
    with pytest.raises(DecisionError, match=f"in conflict {latest.pk}"):
        decide(world, contested, "give", anew=True)


def test_a_refused_day_names_its_decision_after_later_changes_too(world: World, contested: Conflict) -> None:
    decide(world, contested, "keep")
    agr_publishes(world, "agr-2", ("home-1", 2, 4))
    agr_publishes(world, "agr-2", ("home-1", 2, 20))
    row = representation("agr-2", day=3)
    assert row.recorded_by_id > Conflict.objects.get(pk=contested.pk).closed_by_id
    assert refusing_decision(row) == contested
    assert refusing_decision(representation("agr-2", day=15)) is None


def test_a_refused_row_names_no_decision_made_since_it_was_superseded(
    world: World, contested: Conflict
) -> None:
    first = decide(world, contested, "keep")
    former = representation("agr-2", day=3)
    second = decide(world, contested, "give", anew=True)
    third = decide(world, Conflict.objects.get(replaces=contested), "keep", anew=True)
    former.refresh_from_db()
    assert former.superseded_by_id == second
    assert refusing_decision(former) == contested
    current = representation("agr-2", day=3)
    assert refusing_decision(current) == Conflict.objects.get(closed_by=third)
    moment = Change.objects.get(pk=first).moment
    assert refusals([former, current], known_at=moment) == {former: contested}


def test_what_the_policy_refused_names_no_decision(world: World, contested: Conflict) -> None:
    decide(world, contested, "keep")
    agr_publishes(world, "agr-1", ("home-1", 0, -1))
    world.set_policy("representation conflicts", "newest wins")
    agr_publishes(world, "agr-3", ("home-1", 0, None))
    assert days(world, "agr-2", "home-1") == "refused 2..9"
    assert refusing_decision(representation("agr-2", day=3)) is None


def test_a_refused_membership_names_its_decision(world: World) -> None:
    dso_publishes(world, "dso-1", point("point-1", 0, None, ("home-1", 0, None)))
    dso_publishes(world, "dso-2", point("point-2", 0, None, ("home-1", 0, None)))
    conflict = open_conflicts().get()
    decide(world, conflict, "give")
    assert refusing_decision(membership("dso-1", "point-1")) == conflict
    assert refusing_decision(membership("dso-2", "point-2")) is None


# What comes of it


def test_C14_a_preview_tells_what_will_happen_and_leaves_nothing(world: World, contested: Conflict) -> None:
    agr_publishes(world, "agr-3", ("home-1", 0, 4))
    before, view = written(), world.view()
    shown = previewed(lambda: decide(world, contested, "split", 5))
    assert (written(), world.view()) == (before, view)
    assert effect_lines(shown) == [
        "agr-1 home-1: lost 5..9; refused 5..9",
        "agr-2 home-1: gained 5..9; refused 2..4",
    ]
    assert [(p.participant, p.gained, p.lost, p.refused) for p in shown.parties] == [
        ("agr-1.example", 0, 1, 1),
        ("agr-2.example", 1, 0, 1),
    ]
    assert (shown.connections, shown.opened, shown.closed, shown.large) == (1, 0, 1, False)
    change = decide(world, contested, "split", 5, expected=shown.fingerprint)
    assert of_change(change) == shown


def test_C14_nothing_is_done_when_other_consequences_would_follow(world: World, many: Conflict) -> None:
    one = previewed(lambda: decide(world, many, "give"))
    all_of_them = previewed(lambda: decide_many(world, similar_conflicts(many), "give"))
    agr_publishes(world, "agr-3", *((home, 4, 6) for home in CONNECTIONS))
    before, view = written(), world.view()
    for verb in (
        lambda: decide(world, many, "give", expected=one.fingerprint),
        lambda: decide_many(world, similar_conflicts(many), "give", expected=all_of_them.fingerprint),
    ):
        with pytest.raises(ConsequencesChanged, match="nothing was done"):
            verb()
    assert (written(), world.view()) == (before, view)
    decide_many(
        world,
        similar_conflicts(many),
        "give",
        expected=previewed(lambda: decide_many(world, similar_conflicts(many), "give")).fingerprint,
    )


def test_C14_a_decision_anew_does_what_was_shown_or_nothing(world: World, contested: Conflict) -> None:
    decide(world, contested, "keep")
    shown = previewed(lambda: decide(world, contested, "give", anew=True))
    assert effect_lines(shown) == ["agr-1 home-1: lost 2..9; refused 2..9", "agr-2 home-1: gained 2..9"]
    assert (shown.opened, shown.closed) == (0, 0)
    agr_publishes(world, "agr-2", ("home-1", 2, 5))
    with pytest.raises(ConsequencesChanged):
        decide(world, contested, "give", anew=True, expected=shown.fingerprint)
    shown = previewed(lambda: decide(world, contested, "give", anew=True))
    assert of_change(decide(world, contested, "give", anew=True, expected=shown.fingerprint)) == shown


def test_C14_a_preview_raises_what_the_verb_raises(world: World, contested: Conflict) -> None:
    with pytest.raises(DecisionError, match="needs a reason"):
        preview(lambda: decide(world, contested, "keep", source=Source.of_staff("kim", "")))


def test_C14_a_preview_works_outside_a_transaction_and_keeps_no_other_waiting(
    transactional_db: None,
) -> None:
    def verb() -> int:
        change = decide(world, conflict, "give")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE objid = %s AND pid = pg_backend_pid()", [locks.MOMENT]
            )
            assert cursor.fetchone() == (0,), "moments wait for a preview"
        return change

    world = World.start()
    try:
        agr_publishes(world, "agr-1", ("home-1", 0, None))
        agr_publishes(world, "agr-2", ("home-1", 0, None))
        conflict, before = open_conflicts().get(), written()
        shown = preview(verb)
        assert shown.closed == 1
        assert written() == before
        change = retried(lambda: decide(world, conflict, "give", expected=shown.fingerprint))
        assert Change.objects.get(pk=change).moment is not None
        assert days(world, "agr-2", "home-1") == "effective 0.."
    finally:
        world.clear()


def test_what_a_message_did_is_told(world: World, contested: Conflict) -> None:
    agr_publishes(world, "agr-1", ("home-1", 9, 4))
    shown = of_change(Change.objects.latest("pk").pk)
    assert effect_lines(shown) == ["agr-1 home-1: lost 5..; withdrawn 5..", "agr-2 home-1: gained 5..9"]
    assert (shown.opened, shown.closed) == (1, 1)
    dso_publishes(world, "dso-1", point("point-1", 0, 9, ("home-1", 0, 9)))
    shown = of_change(Change.objects.latest("pk").pk)
    assert effect_lines(shown) == ["dso-1 point-1 home-1: gained 0..9"]
    assert len(shown.terms) == 1
    assert shown.terms[0].endswith(f"of dso-1.example: gains {as_date(0)} to {as_date(9)}")


def test_a_large_change_is_told_without_its_facts(
    world: World, many: Conflict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.previews.effects.MAX_FACTS", 3)
    change = decide_many(world, similar_conflicts(many), "keep")
    shown = of_change(change)
    assert (shown.large, shown.lines, shown.closed) == (True, (), 4)
    assert of_change(change, exact=True).connections == 4


def test_verbs_of_staff_take_their_source_from_staff(world: World, many: Conflict) -> None:
    change = Change.objects.get(
        pk=settle_many(similar_conflicts(many), "keep", at=None, source=BY_KIM, today=as_date(0))
    )
    assert (change.kind, change.actor, change.reason) == ("staff", "kim", "agreed by telephone")
