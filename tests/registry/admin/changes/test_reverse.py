"""The pages on which staff reverse a decision about several conflicts, or an import."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from registry.changes import Source
from registry.decisions.settle import settle_many, similar_conflicts
from registry.models import Change, Conflict, ImportRun, Representation
from tests.registry.admin.conflicts.test_admin import fingerprint, limited, member
from tests.registry.admin.pages import TODAY, list_of, page_of, page_text, represented, text_of
from tests.registry.imports import files
from tests.registry.imports.files import HOME, take_connections

HOMES = range(1, 32)
WHY = "the contract was another one"


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(member("kim", "CRO operator"))
    return client


@pytest.fixture
def decided(db: None) -> Change:
    """The decision that gave 31 connections of one.example to two.example."""
    represented("one.example", *HOMES)
    represented("two.example", *HOMES)
    first = Conflict.objects.filter(closed_by=None)[0]
    by = Source.of_staff("kim", "one letter for all")
    return Change.objects.get(
        pk=settle_many(similar_conflicts(first), "give", at=None, source=by, today=TODAY)
    )


def reversing(change: Change) -> str:
    return f"{list_of(Change)}{change.pk}/reverse/"


def reverse(client: Client, change: Change, **said: str) -> Any:
    """Reverse as the page does: see the consequences, then send the form with them."""
    seen = client.post(f"{reversing(change)}preview/", said)
    if 'name="expected"' not in seen.content.decode():
        seen = client.post(reversing(change), said)
    return client.post(reversing(change), {**said, "expected": fingerprint(seen)}, follow=True)


def test_a_conflict_of_a_bulk_decision_says_one_of_31_and_links_to_the_whole(
    staff: Client, decided: Change
) -> None:
    page = page_text(staff, page_of(Conflict.objects.filter(closed_by=decided)[7]))
    assert "It was one of 31 conflicts that were decided together" in page
    assert f'<a href="{page_of(decided)}">the whole decision</a>' in page


def test_the_page_of_a_bulk_decision_leads_to_its_reversal(staff: Client, decided: Change) -> None:
    assert f'<a href="{reversing(decided)}">Reverse</a>' in page_text(staff, page_of(decided))
    asked = page_text(staff, reversing(decided))
    assert "Reverse the decision about 31 conflicts" in asked
    assert "one letter for all" in asked

    answer = reverse(staff, decided, decision="keep", reason=WHY)

    assert "The conflicts are decided again." in text_of(answer)
    again = Change.objects.latest("pk")
    assert f"Reversed by change {again.pk}" in text_of(answer).replace(
        f'<a href="{page_of(again)}">', ""
    ).replace("</a>", "")
    assert (
        Representation.objects.current().filter(agr__domain="one.example", standing="effective").count() == 31
    )
    replaced = Conflict.objects.filter(closed_by=again)[0]
    assert "It was one of 31 conflicts" in page_text(staff, page_of(replaced))


def test_a_reversal_shows_the_same_preview_as_a_single_decision(staff: Client, decided: Change) -> None:
    seen = text_of(staff.post(f"{reversing(decided)}preview/", {"decision": "keep"}))
    assert "Number of connections on which a participant" in seen
    assert 'name="expected"' in seen


def test_who_acts_for_one_party_alone_cannot_reverse(decided: Change) -> None:
    client = limited("one.example")
    assert "Reverse</a>" not in page_text(client, page_of(decided))
    assert client.get(reversing(decided)).status_code == 403
    assert client.post(reversing(decided), {"decision": "keep", "reason": WHY}).status_code == 403


def test_an_import_is_reversed_from_its_page(staff: Client) -> None:
    files.participants()
    imported = take_connections([f"first.example,{HOME},2026-01-01,"]).change
    change = Change.objects.get(pk=imported)
    run = ImportRun.objects.create(
        kind="connections", state="applied", file_name=files.FILE, actor="kim", change=change
    )
    assert f'href="{reversing(change)}">Reverse this import</a>' in page_text(staff, page_of(run))
    answer = reverse(staff, change, reason=WHY)
    assert "The import is reversed." in text_of(answer)
    assert files.represented() == set()
    again = staff.post(reversing(change), {"reason": WHY})
    assert "This import is reversed already" in text_of(again)


def test_the_page_of_a_reversed_import_says_who_reversed_it_when_and_why(staff: Client) -> None:
    files.participants()
    change = Change.objects.get(pk=take_connections([f"first.example,{HOME},2026-01-01,"]).change)
    run = ImportRun.objects.create(
        kind="connections", state="applied", file_name=files.FILE, actor="kim", change=change
    )
    reverse(staff, change, reason=WHY)
    back = change.reversed_by.get()
    page = page_text(staff, page_of(run))
    assert "Applied, and reversed" in page
    assert f'It was reversed by <a href="{page_of(back)}">change {back.pk}</a>' in page
    assert f"by kim: {WHY}" in page
    assert "Reverse this import" not in page


def test_a_reversal_says_that_its_conflicts_are_decisions_made_again(staff: Client, decided: Change) -> None:
    reverse(staff, decided, decision="keep", reason=WHY)
    page = page_text(staff, page_of(decided.reversed_by.get()))
    assert "31 of these decided again: opened and closed at once" in page
    assert "decided again" not in page_text(staff, page_of(decided))


def test_a_change_by_a_message_has_no_reversal(staff: Client) -> None:
    represented("one.example", 1)
    change = Change.objects.get()
    assert "Reverse</a>" not in page_text(staff, page_of(change))
    assert staff.get(reversing(change)).status_code == 404
