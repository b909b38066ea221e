"""What is typed into a filter may be a part of what is meant, and a list that has nothing says why."""

import pytest
from django.test import Client

from participants import audit
from participants.models import Participant
from tests.participants.conftest import NOW, AddParticipant, text_of
from uftp.models import Refusal

AUDIT_ENTRIES = "/admin/participants/auditentry/"
REFUSALS = "/admin/uftp/refusal/"


@pytest.fixture
def parties(add_participant: AddParticipant) -> list[Participant]:
    made = [
        add_participant("AGR", domain, public_key=None)
        for domain in ("agr.example", "other-agr.example", "grid.example")
    ]
    for party in made:
        audit.record(
            "lee",
            f"greeted {party.domain}",
            "mode",
            reason=f"why {party.domain}",
            participants=[party],
            about=None,
        )
    return made


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("participant=grid", ["grid.example"]),
        ("participant=AGR gri", ["grid.example"]),
        ("participant=agr.example", ["agr.example"]),
        ("participant=other-", ["other-agr.example"]),
        ("action=Greeted G", ["grid.example"]),
        ("participant=nobody", []),
    ],
)
def test_a_part_of_what_is_known_is_enough(
    staff: Client, parties: list[Participant], query: str, found: list[str]
) -> None:
    text = text_of(staff.get(f"{AUDIT_ENTRIES}?{query}&actor=le").content)

    assert [party.domain for party in parties if f"why {party.domain}" in text] == found


def test_refusals_are_found_by_a_part_of_a_domain_and_by_one_that_nobody_has(
    staff: Client, parties: list[Participant]
) -> None:
    for domain in ("grid.example", "grid.stranger.example"):
        Refusal.objects.create(
            role="AGR",
            domain=domain,
            status=401,
            line="no",
            at=NOW,
            major=3,
            size=9,
            verified=False,
        )

    def rows(text: str) -> list[str]:
        page_text = text_of(staff.get(f"{REFUSALS}?domain={text}").content)
        return [line for line in ("grid.example", "grid.stranger.example") if f"AGR {line}" in page_text]

    assert rows("gri") == ["grid.example"]
    assert rows("grid.stranger.example") == ["grid.stranger.example"]


def test_a_list_that_has_nothing_says_what_was_asked(staff: Client, parties: list[Participant]) -> None:
    text = text_of(staff.get(f"{AUDIT_ENTRIES}?participant=nobody&q=nothing").content)
    assert "Nothing matches the search “nothing” participant “nobody”; show all ." in text

    backwards = text_of(staff.get(f"{AUDIT_ENTRIES}?moment_from=2026-07-02&moment_to=2026-07-01").content)
    assert "moment “from 2026-07-02 to 2026-07-01” (the first day is later than the last)" in backwards
    assert "The first day is later than the last." in backwards

    assert "Nothing matches" not in text_of(staff.get(AUDIT_ENTRIES).content)
