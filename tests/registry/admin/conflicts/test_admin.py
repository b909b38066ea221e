"""Conflicts as staff see and settle them, through HTTP requests of members of staff."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from guardian.shortcuts import assign_perm

from participants.admin_base import scalable
from participants.journal import follow_ups
from participants.models import AuditEntry
from registry.changes import Source
from registry.decisions.settle import settle
from registry.models import Change, Conflict, Representation
from registry.updates.publish import publish_representations
from tests.registry.admin.pages import (
    TODAY,
    declared,
    home,
    list_of,
    listed,
    message_of,
    page_of,
    page_text,
    party,
    point,
    represented,
    text_of,
)

QUEUE = list_of(Conflict)
TOGETHER = f"{QUEUE}settle/"
WHY = "contract of March seen"


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    """An operator, kim."""
    client.force_login(member("kim", "CRO operator"))
    return client


def member(name: str, *groups: str) -> User:
    user = User.objects.create_user(name, password=name, is_staff=True)
    user.groups.set(Group.objects.filter(name__in=groups))
    return user


def limited(*domains: str) -> Client:
    """A client logged in as one who looks after the AGRs with these domains alone."""
    user = member("mo", "CRO participant manager")
    for domain in domains:
        assign_perm("participants.change_participant", user, party("AGR", domain))
    client = Client()
    client.force_login(user)
    return client


def contested(*homes: int, holder: str = "one.example", claimant: str = "two.example") -> list[Conflict]:
    """Conflicts about connections that one AGR holds and another claims, by one message."""
    represented(holder, *homes)
    represented(claimant, *homes)
    return list(Conflict.objects.filter(closed_by=None).order_by("pk"))


def fingerprint(answer: Any) -> str:
    """What a page or preview says it has shown."""
    found = re.findall(r'name="expected" value="(\w+)"', answer.content.decode())
    assert len(found) == 1, text_of(answer)
    return str(found[0])


def preview(client: Client, conflict: Conflict, decision: str, **more: Any) -> Any:
    answer = client.post(f"{QUEUE}{conflict.pk}/preview/", {"decision": decision, **more})
    assert answer.status_code == 200
    return answer


def decide(client: Client, conflict: Conflict, decision: str, **more: Any) -> Any:
    """Settle a conflict as its page does: see the consequences, then send the form with it."""
    data = {"decision": decision, "reason": WHY, **more}
    return client.post(
        page_of(conflict), {**data, "expected": fingerprint(preview(client, conflict, **data))}
    )


def messages_of(client: Client, answer: Any) -> str:
    assert answer.status_code == 302, text_of(answer)
    return text_of(client.get(answer["Location"]))


def test_conflicts_are_open_ones_first(staff: Client) -> None:
    represented("one.example", 1, 2)
    represented("two.example", 1, 2)
    represented("three.example", 2)
    decided = Conflict.objects.get(connection__address=home(1))
    settle(decided.pk, "keep", at=None, source=Source.of_staff("kim", WHY), today=TODAY)
    declared("grid.example", 7, 2)
    two = Conflict.objects.get(connection__address=home(2), claimant__domain="two.example")
    three = Conflict.objects.get(connection__address=home(2), claimant__domain="three.example")
    day = Change.objects.latest("pk").moment
    assert day is not None
    found = {
        "": {two, three},
        "?state=closed": {decided},
        "?state=all": {decided, two, three},
        "?kind__exact=membership": set(),
        "?decision=keep": {decided},
        "?decision=give": set(),
        "?decision=none": set(),
        "?domain=three.example": {three},
        "?domain=one.example": {two, three},
        f"?point={point(7)}": {two, three},
        f"?point={point(8)}": set(),
        "?opened_by__moment_from=2001-01-01": {two, three},
        "?opened_by__moment_to=2001-01-01": set(),
        f"?q={home(2)}": {two, three},
        f"?q={home(2)[:12]}": {two, three},
        f"?q={two.pk}": {two},
        "?o=1": {two, three},
    }

    for query, expected in found.items():
        assert listed(staff, QUEUE + query) == {row.pk for row in expected}, query
    page = page_text(staff, QUEUE)
    assert "under an hour" in page
    assert "2026-06-01 to 2026-12-31" in page


def test_a_conflict_shows_both_claims_and_where_they_come_from(staff: Client) -> None:
    first = represented("one.example", 1)
    second = represented("two.example", 1)
    first_answer, second_answer = "", f"Warning: {home(1)} contested"
    type(second).objects.filter(pk=second.pk).update(result="Accepted", reason=second_answer)
    represented("three.example", 1)
    conflict = Conflict.objects.get(claimant__domain="two.example")

    page = page_text(staff, page_of(conflict))

    for message in (first, second):
        assert f'href="/admin/uftp/inboundmessage/{message.pk}/change/"' in page
    assert "AGRPortfolioUpdate, received 2026-06-01 02:00:00 CEST" in page
    assert second_answer in page
    assert first_answer in page
    assert "Waiting since" in page
    assert "Others who claim these days" in page
    assert "three.example" in page
    assert "<svg" in page
    for row in Representation.objects.filter(agr__domain__in=["one.example", "two.example"]):
        assert f'href="/admin/registry/representation/{row.pk}/adjust/?conflict={conflict.pk}"' in page


def test_an_answer_about_many_connections_is_folded(staff: Client) -> None:
    message = represented("one.example", 1)
    named = ", ".join(f"{home(number)} (from 2026-06-01)" for number in range(1, 21))
    type(message).objects.filter(pk=message.pk).update(result="Accepted", reason=f"Warning: {named}")
    represented("two.example", 1)

    page = page_text(staff, page_of(Conflict.objects.get()))

    assert f"<details><summary>Warning: {home(1)} (from" in page
    assert f"</summary>Warning: {named}</details>" in page


def test_a_claim_names_what_its_party_said_and_not_who_cut_it(staff: Client) -> None:
    said = represented("one.example", 1, first=date(2026, 1, 1))
    (conflict,) = contested(1)
    settle(conflict.pk, "give", at=None, source=Source.of_staff("kim", WHY), today=TODAY)

    page = page_text(staff, page_of(Conflict.objects.get()))

    assert f'href="/admin/uftp/inboundmessage/{said.pk}/change/"' in page
    two = party("AGR", "two.example")
    given = f'<a href="/admin/participants/participant/{two.pk}/change/">AGR two.example</a>'
    assert (
        f"These days were given to {given} by kim’s decision in this conflict: contract of March seen" in page
    )


@pytest.mark.parametrize(
    ("decision", "at", "claims"),
    [
        ("keep", "", {"one": ("effective",), "two": ("refused",)}),
        ("give", "", {"one": ("refused",), "two": ("effective",)}),
        ("split", "2026-09-01", {"one": ("effective", "refused"), "two": ("refused", "effective")}),
    ],
)
def test_a_conflict_is_settled_as_the_preview_said(
    staff: Client, decision: str, at: str, claims: dict[str, tuple[str, ...]]
) -> None:
    (conflict,) = contested(1)

    seen = text_of(preview(staff, conflict, decision, at=at))
    assert "Conflicts closed: <strong>1</strong>" in seen
    assert home(1) in seen
    assert Conflict.objects.get().closed_by is None

    text = messages_of(staff, decide(staff, conflict, decision, at=at))

    conflict.refresh_from_db()
    assert conflict.decision == decision
    assert (conflict.decided_by, conflict.reason) == ("kim", WHY)
    assert f'<a href="{page_of(conflict)}">Conflict {conflict.pk}</a> is settled' in text
    for agr, standing in claims.items():
        rows = Representation.objects.current().filter(agr__domain=f"{agr}.example").order_by("period")
        assert tuple(row.standing for row in rows) == standing
    assert AuditEntry.objects.get(action="settle conflict").reason == WHY


def test_the_conflicts_that_a_decision_closes_and_opens_are_named(staff: Client) -> None:
    (conflict,) = contested(1)
    represented("three.example", 1)
    about = f"{home(1)}, 2026-06-01 to 2026-12-31"

    seen = text_of(preview(staff, conflict, "give"))

    assert "Conflicts closed: <strong>2</strong>" in seen
    closed = f'Closed: <a href="{page_of(conflict)}">conflict {conflict.pk}</a>'
    assert f"{closed}, two.example against one.example about {about}<" in seen
    assert f"three.example against one.example about {about}<" in seen
    assert f"Opened: three.example against two.example about {about}<" in seen, "it has no number so far"
    decide(staff, conflict, "give")
    opened = Conflict.objects.get(closed_by=None)
    recorded = page_text(staff, page_of(opened.opened_by))
    assert f'Opened: <a href="{page_of(opened)}">conflict {opened.pk}</a>, three.example against' in recorded


def test_twenty_conflicts_are_named_and_the_rest_counted(staff: Client) -> None:
    contested(*range(23))
    like = Conflict.objects.latest("pk").pk

    seen = text_of(staff.post(f"{TOGETHER}preview/?like={like}", {"decision": "keep", "reason": WHY}))

    assert seen.count("Closed: <a") == 20
    assert "<li>and 3 more</li>" in seen


def test_a_settled_conflict_says_who_decided_when_and_why(staff: Client) -> None:
    (conflict,) = contested(1)
    assert "historylink" not in page_text(staff, page_of(conflict))
    decide(staff, conflict, "keep")

    page = page_text(staff, page_of(conflict))

    assert "AGR one.example keeps the days." in page
    assert "Decided by kim, " in page
    assert WHY in page
    (target,) = re.findall(r'class="historylink" href="([^"]*)"', page)
    assert WHY in page_text(staff, target)


def test_a_decision_is_reversed_by_a_new_one_and_nothing_is_erased(staff: Client) -> None:
    (conflict,) = contested(1)
    decide(staff, conflict, "keep")

    page = page_text(staff, page_of(conflict))
    assert "Decide again" in page
    text = messages_of(staff, decide(staff, conflict, "give", anew="1", reason="the court says so"))

    later = Conflict.objects.latest("pk")
    assert later.replaces == conflict
    assert f'href="{page_of(later)}"' in text
    conflict.refresh_from_db()
    assert (conflict.decision, conflict.reason) == ("keep", WHY)
    assert f"Conflict {conflict.pk}</a> is decided again: AGR two.example gets the days. The" in text
    assert f'new decision is conflict <a href="{page_of(later)}">{later.pk}</a>.' in text
    former = re.sub(r"\s+", " ", page_text(staff, page_of(conflict)))
    assert '<span class="badge">Replaced</span>' in former
    assert "Former decision: AGR one.example keeps the days." in former
    assert f'these days were decided later, in <a href="{page_of(later)}"' in former
    assert "Decide again" not in former
    assert 'name="decision"' not in former
    assert "Decide again" in page_text(staff, page_of(later))
    entry = AuditEntry.objects.get(action="settle conflict anew")
    assert (entry.before or {})["conflict"] == conflict.pk
    assert (entry.before or {})["decision"] == "keep"
    assert (entry.after or {})["conflict"] == str(later.pk)
    assert (entry.after or {})["decision"] == "give"
    assert "This decision replaces that of" in page_text(staff, page_of(later))
    # Only the latest decision can be replaced.
    assert f"in conflict {later.pk}" in text_of(preview(staff, conflict, "split", at="2026-08-01", anew="1"))


def table_rows(client: Client, page: str) -> dict[int, str]:
    """The rows of a list by the number of their conflict."""
    rows = re.findall(r"<tr>.*?</tr>", text_of(client.get(page)))
    found = [(re.search(r"/conflict/(\d+)/change/", row), row) for row in rows]
    return {int(link[1]): row for link, row in found if link}


def replaced_twice(staff: Client) -> list[Conflict]:
    """A conflict whose decision was replaced by that of a second one, and this by that of a third."""
    (first,) = contested(1)
    decide(staff, first, "keep")
    decide(staff, first, "give", anew="1", reason="the court says so")
    decide(staff, Conflict.objects.latest("pk"), "split", at="2026-08-01", anew="1", reason="both agree")
    return list(Conflict.objects.order_by("pk"))


def test_the_list_says_by_which_conflict_a_decision_is_replaced(staff: Client) -> None:
    first, second, third = replaced_twice(staff)

    rows = table_rows(staff, f"{QUEUE}?state=closed")
    by_third = f'<span class="badge">Replaced</span> by <a href="{page_of(third)}">conflict {third.pk}</a>'
    assert by_third in rows[first.pk]
    assert by_third in rows[second.pk]
    assert "Replaced" not in rows[third.pk]
    others = text_of(staff.get(page_of(third)))
    assert '<span class="badge">Replaced</span> AGR one.example keeps the days' in others
    assert '<span class="badge">Replaced</span> AGR two.example gets the days' in others


def test_the_file_of_conflicts_says_who_decided_when_and_why_and_what_replaces_it(staff: Client) -> None:
    replaced_twice(staff)
    contested(2, holder="secret.example", claimant="hidden.example")
    mine = limited("one.example")

    for client, open_too in ((staff, True), (mine, False)):
        answer = client.get(f"{QUEUE}export/?state=all")
        lines = list(csv.DictReader(b"".join(answer.streaming_content).decode().splitlines()))  # type: ignore[attr-defined]
        third, second, first = lines[-3:]
        assert len(lines) == 3 + open_too
        assert (first["Decision"], first["Reason"]) == ("The holder keeps the days", WHY)
        assert (first["Decided by"], second["Reason"]) == ("kim", "the court says so")
        assert first["Decided at"] == first["Closed"] != ""
        assert first["Replaced by"] == second["Replaced by"] == third["Number"]
        assert (third["Reason"], third["Replaced by"]) == ("both agree", "")
        for line in lines[:-3]:
            assert {
                line[name] for name in ("Decision", "Reason", "Decided by", "Decided at", "Replaced by")
            } == {""}


def test_a_decision_of_which_some_days_were_decided_later_can_be_decided_anew(staff: Client) -> None:
    (conflict,) = contested(1)
    decide(staff, conflict, "keep")
    represented("two.example", 1, last=date(2026, 9, 30))
    represented("two.example", 1)
    later = Conflict.objects.get(closed_by=None)
    decide(staff, later, "keep")

    page = text_of(staff.get(page_of(conflict)))

    assert '<span class="badge ok">Settled</span>' in page
    assert "Decide again" in page


def test_a_conflict_that_ended_by_itself_has_nothing_to_settle(staff: Client) -> None:
    (conflict,) = contested(1)
    represented("one.example", 1, last=date(2026, 5, 31))

    page = page_text(staff, page_of(conflict))

    assert "It ended without a decision" in page
    assert 'name="decision"' not in page
    answer = staff.post(page_of(conflict), {"decision": "keep", "reason": WHY, "expected": "x"})
    assert f"Conflict {conflict.pk} is closed: its days are no longer contested" in text_of(answer)


def test_staff_come_back_to_their_queue_or_go_on_to_the_next(staff: Client) -> None:
    first, second, third = contested(1, 2, 3)
    query = {"_changelist_filters": "kind__exact=representation"}
    page = f"{page_of(second)}?_changelist_filters=kind__exact%3Drepresentation"

    def settled(conflict: Conflict, **more: str) -> str:
        data = {"decision": "keep", "reason": WHY, **more}
        shown_to = fingerprint(preview(staff, conflict, "keep"))
        return str(
            staff.post(page_of(conflict), {**data, "expected": shown_to}, query_params=query)["Location"]
        )

    assert f'href="{QUEUE}?kind__exact=representation"' in page_text(staff, page)
    assert settled(second, _next="1").startswith(page_of(first))
    assert settled(first, _next="1").startswith(page_of(third))
    assert settled(third, _next="1") == f"{QUEUE}?kind__exact=representation"


def follow(conflict: Conflict, assignee: str = "", wait_until: date | None = None) -> None:
    """Assign a conflict, and have it wait for a day."""
    follow_ups.follow_up(
        conflict,
        assignee=User.objects.filter(username=assignee).first(),
        wait_until=wait_until,
        by="kim",
        participants=[conflict.holder_id, conflict.claimant_id],
    )


def test_the_list_says_who_looks_after_a_conflict_and_until_when_it_waits_by_one_query(
    staff: Client, stop_clock: Callable[[datetime], None]
) -> None:
    stop_clock(datetime(2026, 6, 1, 12, tzinfo=UTC))
    first, second, third, fourth = contested(1, 2, 3, 4)
    staff.get(QUEUE)
    with CaptureQueriesContext(connection) as before:
        staff.get(QUEUE)
    follow(first, "kim")
    follow(second, wait_until=date(2026, 6, 2))
    follow(third, "kim", date(2026, 6, 1))

    with CaptureQueriesContext(connection) as after:
        rows = table_rows(staff, QUEUE)

    assert len(before) == len(after)
    shown = {
        number: re.findall(r'<td class="field-follow_up[^"]*">(.*?)</td>', row)
        for number, row in rows.items()
    }
    assert shown[first.pk] == ["<div>kim</div>"]
    assert shown[second.pk] == ["<div>until 2026-06-02 </div>"]
    due = '<span class="badge warn">due</span>'
    assert shown[third.pk] == [f"<div>kim</div><div>until 2026-06-01 {due}</div>"]
    assert shown[fourth.pk] == ["–"]
    user = User.objects.create_user("jo", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_conflict", "see_every_participant"])
    )
    staff.force_login(user, "django.contrib.auth.backends.ModelBackend")
    page = page_text(staff, QUEUE)
    assert "kim" not in page
    assert "field-follow_up" not in page


def test_the_next_conflict_is_none_that_waits_for_a_later_day(
    staff: Client, stop_clock: Callable[[datetime], None]
) -> None:
    stop_clock(datetime(2026, 6, 1, 12, tzinfo=UTC))
    first, second, third, fourth = contested(1, 2, 3, 4)
    follow(third, "kim", date(2026, 6, 2))
    follow(second, "kim", date(2026, 6, 1))

    assert f'rel="next" href="{page_of(second)}' in page_text(staff, page_of(fourth))
    answer = decide(staff, fourth, "keep", _next="1")
    assert answer["Location"].partition("?")[0] == page_of(second)
    decide(staff, second, "keep")
    assert decide(staff, first, "keep", _next="1")["Location"] == QUEUE


def test_nothing_is_settled_unseen(staff: Client) -> None:
    (conflict,) = contested(1)

    answer = staff.post(page_of(conflict), {"decision": "give", "reason": WHY})

    assert answer.status_code == 200
    assert "Look at the consequences below" in text_of(answer)
    assert WHY in text_of(answer)
    assert Conflict.objects.get().closed_by is None
    again = {"decision": "give", "reason": WHY, "expected": fingerprint(answer)}
    assert staff.post(page_of(conflict), again).status_code == 302
    assert Conflict.objects.get().decision == "give"


def test_what_is_wrong_stands_beside_its_field_and_the_page_comes_back_to_the_form(staff: Client) -> None:
    (conflict,) = contested(1)

    page = text_of(staff.post(page_of(conflict), {"decision": "split", "at": "2026-06-01", "reason": WHY}))

    field = page.split('class="form-row field-at errors"')[1].split('class="form-row')[0]
    assert "The day must lie after 2026-06-01, the conflict's first." in field
    assert "Matters only for a split" in field
    assert '<form method="post" action="#settle"' in page
    assert '<section id="settle" tabindex="-1"' in page
    assert 'correct what the <a href="#settle">form</a> says' in page
    assert '<legend class="required">Decision:</legend>' in page


def test_what_has_changed_since_it_was_shown_is_shown_again(staff: Client) -> None:
    (conflict,) = contested(1)
    before = fingerprint(preview(staff, conflict, "give"))
    represented("three.example", 1)

    answer = staff.post(page_of(conflict), {"decision": "give", "reason": WHY, "expected": before})

    assert "nothing was done" in text_of(answer)
    assert "three.example" in text_of(answer)
    assert Conflict.objects.get(pk=conflict.pk).closed_by is None
    assert fingerprint(answer) != before


def test_a_conflict_settled_meanwhile_is_told_with_who_and_how(staff: Client) -> None:
    (conflict,) = contested(1)
    before = fingerprint(preview(staff, conflict, "give"))
    settle(conflict.pk, "keep", at=None, source=Source.of_staff("lee", "seen first"), today=TODAY)

    answer = staff.post(page_of(conflict), {"decision": "give", "reason": WHY, "expected": before})

    text = text_of(answer)
    assert answer.status_code == 200
    assert "it was settled by lee" in text
    assert "To reverse it, decide it again." in text
    assert WHY in text, "what was typed stays"
    assert Conflict.objects.get().decision == "keep"


def test_a_form_sent_twice_settles_once_and_says_the_same(staff: Client) -> None:
    (conflict,) = contested(1)
    data = {"decision": "keep", "reason": WHY, "expected": fingerprint(preview(staff, conflict, "keep"))}

    for _ in range(2):
        assert "is settled" in messages_of(staff, staff.post(page_of(conflict), data))

    assert AuditEntry.objects.filter(action="settle conflict").count() == 1


RUBBISH: list[tuple[dict[str, str], str]] = [
    ({}, "Choose who gets the days."),
    ({"decision": "burn"}, "Select a valid choice."),
    ({"decision": "split"}, "Say at which day the days are split."),
    ({"decision": "split", "at": "99999"}, "Give a day, such as 2026-03-01."),
    ({"decision": "split", "at": "12026-01-01"}, "Give a day"),
    ({"decision": "split", "at": "2026-06-01"}, "The day must lie after 2026-06-01, the conflict's first."),
    (
        {"decision": "split", "at": "2031-01-01"},
        "The day must not lie after 2026-12-31, the conflict's last.",
    ),
    ({"decision": "keep", "reason": ""}, "Say why"),
    ({"decision": "keep", "reason": "   "}, "Say why"),
    ({"decision": "keep", "reason": "x" * 3_000}, "at most 2000 characters"),
    ({"decision": "keep", "reason": "a\x00b"}, "Null characters are not allowed."),
    ({"decision": "keep", "expected": "\x00'; --"}, "nothing was done"),
    ({"decision": "keep", "anew": "1"}, "is open: settle it."),
]


@pytest.mark.parametrize(("said", "told"), RUBBISH)
def test_rubbish_is_told_beside_the_form(staff: Client, said: dict[str, str], told: str) -> None:
    (conflict,) = contested(1)

    for page in (page_of(conflict), f"{TOGETHER}?like={conflict.pk}"):
        answer = staff.post(page, {"reason": WHY, "expected": "0" * 32, **said})

        assert answer.status_code == 200
        if "anew" not in said and not (page != page_of(conflict) and "The day must" in told):
            assert told in text_of(answer), page
    assert Conflict.objects.get().closed_by is None


@pytest.mark.parametrize("said", [said for said, _ in RUBBISH])
def test_rubbish_is_told_in_the_preview(staff: Client, said: dict[str, str]) -> None:
    (conflict,) = contested(1)

    for page in (f"{QUEUE}{conflict.pk}/preview/", f"{TOGETHER}preview/?like={conflict.pk}"):
        assert staff.post(page, said).status_code == 200


@pytest.mark.parametrize("day", [date(2026, 9, 1), date.max])
def test_a_single_day_cannot_be_split(staff: Client, day: date) -> None:
    for agr in ("one.example", "two.example"):
        represented(agr, 1, first=day, last=day)
    conflict = Conflict.objects.get()

    page = page_text(staff, page_of(conflict))

    assert 'value="keep"' in page
    assert ('value="split"' in page) == (conflict.period.upper is None and day != date.max)
    answer = staff.post(page_of(conflict), {"decision": "split", "at": str(day), "reason": WHY})
    assert "Select a valid choice." in text_of(answer)


def test_addresses_typed_by_hand_are_answered(staff: Client) -> None:
    (conflict,) = contested(1)
    claim = Representation.objects.first()
    assert claim is not None

    for other in ("0", "x", "9" * 30, str(conflict.pk + 1), "%00"):
        # The list says that there is no such conflict.
        assert staff.get(f"{QUEUE}{other}/preview/").status_code == 404
        assert staff.post(f"{QUEUE}{other}/preview/", {}).status_code == 404
        assert staff.get(f"{QUEUE}{other}/change/").status_code in (302, 404)
    assert staff.get(f"{QUEUE}{conflict.pk}/preview/")["Location"] == page_of(conflict)
    for query in (
        "",
        "like=x",
        "like=0",
        "like=%00",
        "ids=",
        "ids=1,x",
        "ids=0",
        f"ids={'9' * 18}",
        f"ids={','.join(map(str, range(1001)))}",
        "list=nonsense%3D1",
        "list=opened_by__moment_from%3Dx",
        "list=%00",
        f"like={conflict.pk}&pair=x",
        f"like={conflict.pk}&pair=representation-{'9' * 18}-1",
    ):
        answer = staff.get(f"{TOGETHER}?{query}", follow=True)
        assert answer.status_code == 200, query
        assert answer.redirect_chain, query
        assert "messagelist" in text_of(answer), query
        assert staff.post(f"{TOGETHER}preview/?{query}", {"decision": "keep"}).status_code == 200, query
    assert staff.get(f"{TOGETHER}preview/?like={conflict.pk}").status_code == 302


def test_a_form_without_its_token_is_refused(staff: Client) -> None:
    (conflict,) = contested(1)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="kim"))

    for page in (page_of(conflict), f"{QUEUE}{conflict.pk}/preview/", f"{TOGETHER}?like={conflict.pk}"):
        assert strict.post(page, {"decision": "keep", "reason": WHY}).status_code == 403
    assert Conflict.objects.get().closed_by is None


def test_an_auditor_sees_why_there_is_no_form(staff: Client) -> None:
    (conflict,) = contested(1)
    staff.force_login(member("ann", "CRO auditor"))

    for page in (page_of(conflict), f"{TOGETHER}?like={conflict.pk}"):
        text = page_text(staff, page)
        assert "settling conflicts is a right that you do not have" in text
        assert 'name="decision"' not in text
        assert staff.post(page, {"decision": "keep", "reason": WHY, "expected": "x"}).status_code == 403
    assert staff.post(f"{QUEUE}{conflict.pk}/preview/", {"decision": "keep"}).status_code == 403
    assert 'value="settle_together"' not in page_text(staff, QUEUE)


def test_one_party_is_enough_to_look_and_both_are_needed_to_settle(staff: Client) -> None:
    (conflict,) = contested(1)
    represented("three.example", 1)
    foreign = Conflict.objects.get(claimant__domain="three.example")
    half = limited("two.example")

    assert listed(half, QUEUE) == {conflict.pk}
    text = page_text(half, page_of(conflict))
    assert "settling it needs the right to act for both parties" in text
    assert "three.example" not in text
    settle(foreign.pk, "keep", at=None, source=Source.of_staff("kim", WHY), today=TODAY)
    assert half.post(page_of(conflict), {"decision": "give", "reason": WHY}).status_code == 403
    assert half.post(f"{QUEUE}{conflict.pk}/preview/", {"decision": "give"}).status_code == 403
    assert half.get(f"{QUEUE}{foreign.pk}/preview/").status_code == 404
    assert half.get(f"{TOGETHER}?like={foreign.pk}").status_code == 302

    assign_perm(
        "participants.change_participant", User.objects.get(username="mo"), party("AGR", "one.example")
    )
    seen = text_of(preview(half, conflict, "give"))
    assert "another participant" in seen
    assert "three.example" not in seen
    assert "is settled" in messages_of(half, decide(half, conflict, "give"))


def many(client: Client, query: str, decision: str, **more: Any) -> Any:
    """Settle together what the query names, as the page does."""
    data = {"decision": decision, "reason": WHY, **more}
    seen = client.post(f"{TOGETHER}preview/?{query}", data)
    return client.post(f"{TOGETHER}?{query}", {**data, "expected": fingerprint(seen)})


def test_conflicts_from_one_message_are_settled_together(staff: Client) -> None:
    first, *others = contested(1, 2, 3)
    contested(4)  # by another message
    page = re.sub(r"\s+", " ", page_text(staff, page_of(first)))
    assert f'And 2 more between these two from the same message: <a href="{TOGETHER}?like={first.pk}"' in page

    assert "Settle 3 representation conflicts together" in page_text(staff, f"{TOGETHER}?like={first.pk}")
    text = messages_of(staff, many(staff, f"like={first.pk}", "give"))

    assert "3 conflicts are settled: AGR two.example gets the days." in text
    decided = Conflict.objects.filter(decision="give")
    assert set(decided) == {first, *others}
    assert len({row.closed_by_id for row in decided}) == 1
    assert listed(staff, QUEUE) == {Conflict.objects.latest("pk").pk}
    assert "None of these conflicts is open any more" in messages_of(
        staff, staff.get(f"{TOGETHER}?like={first.pk}")
    )


def test_chosen_conflicts_are_settled_together(staff: Client) -> None:
    first, second, third = contested(1, 2, 3)
    chosen: dict[str, Any] = {"action": "settle_together", "_selected_action": [first.pk, third.pk]}

    page = staff.post(QUEUE, chosen)["Location"]
    assert page == f"{TOGETHER}?ids={first.pk}%2C{third.pk}"
    many(staff, f"ids={first.pk},{third.pk}", "keep")

    assert set(Conflict.objects.filter(decision="keep")) == {first, third}
    assert second in Conflict.objects.filter(closed_by=None)


def test_one_chosen_conflict_is_settled_on_its_page(staff: Client) -> None:
    first, *_ = contested(1, 2)
    contested(3, claimant="three.example")
    other = Conflict.objects.get(claimant__domain="three.example")

    chosen: dict[str, Any] = {"action": "settle_together", "_selected_action": [first.pk]}
    page = staff.post(f"{QUEUE}?domain=two.example", chosen)["Location"]

    assert page == f"{page_of(first)}?_changelist_filters=domain%3Dtwo.example"
    pairs = page_text(staff, f"{TOGETHER}?list=kind__exact%3Drepresentation")
    assert f'<a href="{page_of(other)}?_changelist_filters=kind__exact%3Drepresentation">' in pairs


def test_all_of_a_filtered_list_are_settled_together(staff: Client) -> None:
    wanted = contested(1, 2)
    represented("three.example", 2)
    chosen: dict[str, Any] = {
        "action": "settle_together",
        "_selected_action": [wanted[0].pk],
        "select_across": "1",
    }

    page = staff.post(f"{QUEUE}?domain=two.example", chosen)["Location"]
    assert page == f"{TOGETHER}?list=domain%3Dtwo.example"
    text = messages_of(staff, many(staff, "list=domain%3Dtwo.example", "split", at="2026-07-01"))

    assert "2 conflicts are settled" in text
    assert set(Conflict.objects.filter(decision="split")) == set(wanted)


def test_all_that_a_search_finds_are_settled_together(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    contested(*range(1, 8))
    monkeypatch.setattr(scalable, "MAX_FOUND", 3)

    many(staff, f"list=q%3D{home(1)[:10]}", "keep")

    assert Conflict.objects.filter(decision="keep").count() == 7


def test_conflicts_between_several_parties_are_settled_pair_by_pair(staff: Client) -> None:
    contested(1, 2, 3)
    represented("three.example", 2, 3)
    query = "list=kind__exact%3Drepresentation"

    page = re.sub(r"\s+", " ", page_text(staff, f"{TOGETHER}?{query}"))

    links = re.findall(r'<a href="([^"]*)">Settle (\d) representation conflicts?(?: together)?</a>', page)
    assert [number for _, number in links] == ["3", "2"]
    text = page_text(staff, links[1][0])
    assert "Settle 2 representation conflicts together" in text
    many(staff, links[1][0].partition("?")[2], "keep")
    assert [row.claimant.domain for row in Conflict.objects.filter(decision="keep")] == ["three.example"] * 2


def test_a_split_outside_some_conflict_settles_none(staff: Client) -> None:
    contested(1)
    represented("one.example", 2, first=date(2026, 10, 1))
    represented("two.example", 2, first=date(2026, 10, 1))

    answer = staff.post(f"{TOGETHER}preview/?list=", {"decision": "split", "at": "2026-08-01", "reason": WHY})

    assert "does not split 1 of the 2 conflicts" in text_of(answer)


def test_the_page_of_a_conflict_asks_as_much_for_60_claims_as_for_5(
    staff: Client, django_assert_max_num_queries: Any
) -> None:
    represented("one.example", 1)
    asked = []
    for numbers in (range(3), range(3, 30)):
        for number in numbers:
            first = date(2026, 6, 1 + number)
            publish_representations(
                party("AGR", "two.example"),
                [(home(1), first, first)],
                today=TODAY,
                source=Source.of_message(message_of(party("AGR", "two.example"))),
            )
        conflict = Conflict.objects.filter(closed_by=None).earliest("pk")
        page_text(staff, page_of(conflict))
        with django_assert_max_num_queries(60) as queries:
            page_text(staff, page_of(conflict))
        asked.append(len(queries))
    assert asked[0] == asked[1]
