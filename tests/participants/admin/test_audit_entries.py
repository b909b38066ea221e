"""The list of audit entries."""

import re
from datetime import UTC, datetime

from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from participants import audit
from participants.models import AuditEntry, Participant
from tests.participants.conftest import AddParticipant, page_of, text_of

LIST = "/admin/participants/auditentry/"


def reasons(page: bytes) -> list[str]:
    return re.findall(r'field-why">(.*?)<', page.decode())


def test_an_entry_has_who_what_about_before_after_and_why(
    staff: Client, add_participant: AddParticipant
) -> None:
    participant = add_participant()
    staff.post(page_of(participant, "standing", "barred"), {"expected": "authorized", "reason": "fraud"})
    entry = AuditEntry.objects.latest("id")

    for page in ("", f"{entry.pk}/change/"):
        content = staff.get(LIST + page).content
        for fact in ("kim", "changed participant", "standing: authorized → barred", "fraud"):
            assert fact in text_of(content), (page, fact)
        assert f'href="{page_of(participant)}"' in content.decode()


def test_entries_are_filtered_and_searched(staff: Client, add_participant: AddParticipant) -> None:
    agr, dso = add_participant(public_key=None), add_participant("DSO", "agr.example", public_key=None)
    audit.record("kim", "set mode", "mode", reason="trial", participants=(), about=None)
    audit.record(
        "lee", "settle", "conflict 1 about ean.1", reason="contract", participants=[agr, dso], about=None
    )
    audit.record(
        "lee",
        "reset",
        "AGRPortfolioUpdate of AGR agr.example",
        reason="restart",
        participants=[agr],
        about=None,
    )
    AuditEntry.objects.filter(actor="test")
    filters = {
        "actor=lee": {"contract", "restart"},
        "action=set mode": {"trial"},
        "participant=DSO agr.example": {"contract"},
        "participant=agr.example": {"contract", "restart"},
        "participant=nobody.example": set(),
        "subject=mode": {"trial"},
        "q=conflict 1": {"contract"},
        "q=kim": {"trial"},
        f"moment_from={datetime.now(UTC).year + 2}-01-01": set(),
        "moment_to=2020-01-01": set(),
    }

    for query, found in filters.items():
        listed = set(reasons(staff.get(f"{LIST}?{query}").content)) - {"–", ""}
        assert listed == found, query


def test_filters_offer_who_and_what_there_is(staff: Client, add_participant: AddParticipant) -> None:
    add_participant()
    audit.record("lee", "did something odd", "mode", about=None)

    offered = re.findall(r'<option value="([^"]*)"', staff.get(LIST).content.decode())

    assert {"test", "lee", "added participant", "did something odd", "AGR agr.example"} <= set(offered)


def test_entries_are_never_edited_or_deleted(staff: Client, add_participant: AddParticipant) -> None:
    add_participant()
    page = f"{LIST}{AuditEntry.objects.latest('id').pk}/change/"

    assert staff.get(page).status_code == 200
    assert staff.post(page, {"actor": "nobody"}).status_code == 403
    assert staff.get(LIST + "add/").status_code == 403
    assert staff.post(page.replace("change", "delete"), {"post": "yes"}).status_code == 403


def test_the_page_of_a_participant_links_to_the_entries_about_it(
    staff: Client, add_participant: AddParticipant
) -> None:
    participant = add_participant()
    add_participant("AGR", "agr.example.org", public_key=None)

    page = staff.get(page_of(participant)).content.decode()

    found = re.search(r'href="(/admin/participants/auditentry/\?participant=[^"]*)"', page)
    assert found
    listed = text_of(staff.get(found[1]).content)
    assert "added public key" in listed
    assert "agr.example.org" not in re.sub("<option.*?>", "", listed)


def test_the_list_reads_the_same_number_of_queries_for_more_rows(
    staff: Client, add_participant: AddParticipant
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert staff.get(LIST).status_code == 200
        return len(captured)

    add_participant()
    few = queries()
    for number in range(30):
        audit.record("lee", f"did {number}", f"conflict {number} about ean.1", about=None)

    assert queries() == few


def test_limited_staff_see_the_entries_about_their_participants(add_participant: AddParticipant) -> None:
    from guardian.shortcuts import assign_perm

    theirs = add_participant(reason="theirs")
    add_participant("DSO", "grid.example", public_key=None, reason="another's")
    audit.record("kim", "set mode", "mode", reason="everybody's", about=None)
    sam = User.objects.create_user("sam", is_staff=True)
    sam.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    assign_perm("participants.view_participant", sam, Participant.objects.get(pk=theirs.pk))
    client = Client()
    client.force_login(sam)

    assert set(reasons(client.get(LIST).content)) == {"theirs"}
    assert "grid.example" not in client.get(LIST).content.decode()
