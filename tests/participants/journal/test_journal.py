"""The journal of a participant, a conflict and a contract: written by staff in scope, read by nobody else."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from threading import Thread
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from guardian.shortcuts import assign_perm

from cro_project.staff.groups import AUDITOR, OPERATOR, PARTICIPANT_MANAGER
from participants.journal import entries, follow_ups
from participants.journal.entries import MAX_FILE_BYTES, MAX_PARTICIPANT_BYTES, File
from participants.models import Attachment, AuditEntry, FollowUp, JournalEntry, Participant
from registry.models import Conflict
from tests.registry.admin.pages import party, represented
from tests.reservations.dsl import a_contract, some_parties

StopClock = Callable[[datetime], None]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def member(name: str, group: str, *domains: str, permission: str = "change_participant") -> Client:
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    for domain in domains:
        assign_perm(f"participants.{permission}", user, Participant.objects.get(domain=domain))
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def conflict(db: None) -> Conflict:
    represented("one.example", 1)
    represented("two.example", 1)
    return Conflict.objects.get()


@pytest.fixture
def kim(conflict: Conflict) -> Client:
    return member("kim", OPERATOR)


def below(row: Any, *parts: object) -> str:
    page = f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/"
    return page + "".join(f"{part}/" for part in parts)


def comment(client: Client, row: Any, text: str, *files: tuple[str, bytes]) -> Any:
    said: dict[str, Any] = {"journal-text": text}
    if files:
        said["journal-attachments"] = [SimpleUploadedFile(name, content) for name, content in files]
    return client.post(below(row, "journal"), said, follow=True)


def words(answer: Any) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", answer.content.decode()).split())


def test_a_comment_says_who_and_when_on_each_kind_of_page(kim: Client, conflict: Conflict) -> None:
    parties = some_parties()
    for row in (party("AGR", "one.example"), conflict, a_contract(parties.dso, parties.agr)):
        answer = comment(kim, row, "Called Ann: she looks into it.")
        assert answer.status_code == 200
        page = words(kim.get(below(row, "change")))
        assert re.search(
            r"kim , 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d CES?T Called Ann: she looks into it\.", page
        ), page
    assert JournalEntry.objects.count() == 3


def test_the_head_of_each_page_says_what_its_journal_at_the_foot_holds(
    kim: Client, conflict: Conflict
) -> None:
    """Whoever decides reads at the top that a colleague has written something, or waits for somebody."""
    parties = some_parties()
    user = User.objects.get(username="kim")
    for row in (party("AGR", "one.example"), conflict, a_contract(parties.dso, parties.agr)):
        assert "journal-summary" not in kim.get(below(row, "change")).content.decode()
        comment(kim, row, "Do not settle before Thursday.")
        follow_ups.follow_up(row, assignee=user, wait_until=date(2099, 3, 5), by="kim", participants=[])
        page = words(kim.get(below(row, "change")))
        summary = "Assigned to kim . Waits until 2099-03-05 . The journal has 2 entries"
        assert summary in page
        assert page.index(summary) < page.index("For staff alone")


def test_an_attachment_is_a_download_of_a_fixed_type_and_never_shown(kim: Client, conflict: Conflict) -> None:
    content = b"<html><script>alert(1)</script>"
    comment(kim, conflict, "Their letter.", ("letter\u202e\r\nof/../may.html", content))
    file = Attachment.objects.get()
    answer = kim.get(below(conflict, "journal", "file", file.pk))
    assert answer.content == content
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"].startswith("attachment; filename=")
    assert {"private", "no-store"} <= set(answer["Cache-Control"].split(", "))
    assert "\n" not in file.name
    assert "/" not in file.name
    assert "\u202e" not in file.name


def test_an_attachment_has_at_most_5_MB(kim: Client, conflict: Conflict) -> None:
    answer = comment(kim, conflict, "", ("large.bin", bytes(MAX_FILE_BYTES + 1)))
    assert "large.bin has 5 MB: a file has at most 5 MB." in words(answer)
    assert not JournalEntry.objects.exists()
    comment(kim, conflict, "", ("fits.bin", b"1" * MAX_FILE_BYTES))
    assert Attachment.objects.get().size == MAX_FILE_BYTES == 5_000_000


def test_the_attachments_of_a_participant_have_at_most_100_MB(kim: Client, conflict: Conflict) -> None:
    """Those in the journals of its conflicts and contracts are counted with its own."""
    one = party("AGR", "one.example")
    entry = entries.write(conflict, "Full.", author="kim", participants=[one.pk, conflict.claimant_id])
    size = MAX_PARTICIPANT_BYTES - 3
    Attachment.objects.create(entry=entry, name="all.bin", size=size, content=b"")
    assert MAX_PARTICIPANT_BYTES == 100_000_000
    answer = comment(kim, one, "", ("four.txt", b"1234"))
    assert "The attachments of AGR one.example have 100 MB already" in words(answer)
    comment(kim, one, "", ("three.txt", b"123"))
    assert entries.attached_bytes(one) == MAX_PARTICIPANT_BYTES
    comment(kim, party("AGR", "three.example"), "", ("four.txt", b"1234"))
    assert Attachment.objects.filter(name="four.txt").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_at_once_cannot_fill_the_same_space() -> None:
    one = party("AGR", "one.example")
    entry = entries.write(one, "Full.", author="kim", participants=[one.pk])
    Attachment.objects.create(entry=entry, name="a", size=MAX_PARTICIPANT_BYTES - 4, content=b"")
    results: list[str] = []

    def attach() -> None:
        try:
            entries.write(one, "", author="kim", participants=[one.pk], files=[File("b", b"1234")])
            results.append("written")
        except ValidationError:
            results.append("refused")
        finally:
            connection.close()

    threads = [Thread(target=attach) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["refused", "refused", "refused", "written"]


def test_only_staff_in_scope_read_it_and_only_those_who_act_write_it(kim: Client, conflict: Conflict) -> None:
    comment(kim, conflict, "Secret of staff.", ("letter.pdf", b"%PDF"))
    entry, file = JournalEntry.objects.get(), Attachment.objects.get()
    party("AGR", "three.example")
    for name, group, domains, permission, reads, writes in (
        ("acts", PARTICIPANT_MANAGER, ["one.example"], "change_participant", 200, 200),
        ("looks", PARTICIPANT_MANAGER, ["one.example"], "view_participant", 200, 403),
        ("other", PARTICIPANT_MANAGER, ["three.example"], "change_participant", 404, 404),
        ("auditor", AUDITOR, [], "", 200, 403),
    ):
        client = member(name, group, *domains, permission=permission)
        assert client.get(below(conflict, "journal")).status_code == reads, name
        assert client.get(below(conflict, "journal", "file", file.pk)).status_code == reads, name
        assert comment(client, conflict, "Mine").status_code == writes, name
        assert client.post(below(conflict, "journal", "follow-up"), {}).status_code in (writes, 302), name
        assert client.post(below(conflict, "journal", "remove", entry.pk)).status_code in (403, 404), name
    assert Client().get(below(conflict, "journal", "file", file.pk)).status_code == 302
    assert JournalEntry.objects.filter(removed_at=None, text="Secret of staff.").exists()


def test_a_file_is_found_by_the_page_of_its_own_object_alone(kim: Client, conflict: Conflict) -> None:
    comment(kim, conflict, "", ("letter.pdf", b"%PDF"))
    file = Attachment.objects.get()
    limited = member("mo", PARTICIPANT_MANAGER, "one.example")
    own = party("AGR", "one.example")
    assert limited.get(below(own, "journal", "file", file.pk)).status_code == 404


def test_an_entry_is_removed_by_its_author_and_the_rest_stays(kim: Client, conflict: Conflict) -> None:
    comment(kim, conflict, "Wrong number: 0612345678", ("a.txt", b"1"))
    entry = JournalEntry.objects.get()
    assert "Remove</button>" in kim.get(below(conflict, "change")).content.decode()
    kim.post(below(conflict, "journal", "remove", entry.pk))
    entry.refresh_from_db()
    assert (entry.text, entry.author, entry.removed_by) == ("", "kim", "kim")
    assert not Attachment.objects.exists()
    assert "Removed by kim" in words(kim.get(below(conflict, "change")))


def test_a_change_of_the_follow_up_is_no_comment_and_stays(kim: Client, conflict: Conflict) -> None:
    kim_s = User.objects.get(username="kim")
    kim.post(below(conflict, "journal", "follow-up"), {"follow_up-assignee": kim_s.pk})
    entry = JournalEntry.objects.get()
    User.objects.filter(pk=kim_s.pk).update(is_superuser=True)

    assert "Remove</button>" not in kim.get(below(conflict, "change")).content.decode()
    assert "Remove</button>" not in kim.get(below(conflict, "journal")).content.decode()
    answer = kim.post(below(conflict, "journal", "remove", entry.pk), follow=True)

    assert "This says how the follow-up changed: it stays." in words(answer)
    entry.refresh_from_db()
    assert (entry.text, entry.removed_at) == ("Assigned to kim.", None)
    comment(kim, conflict, "called Ann")
    assert kim.get(below(conflict, "change")).content.decode().count("Remove</button>") == 1


def test_of_several_files_the_error_names_the_empty_one(kim: Client, conflict: Conflict) -> None:
    answer = comment(kim, conflict, "See both.", ("letter.pdf", b"%PDF"), ("scan.pdf", b""))

    assert "scan.pdf is empty." in words(answer)
    assert "The submitted file is empty" not in words(answer)
    assert not JournalEntry.objects.exists()


def test_staff_are_assigned_who_may_see_it_and_a_day_is_waited_for(
    kim: Client, conflict: Conflict, stop_clock: StopClock
) -> None:
    stop_clock(NOW)
    party("AGR", "three.example")
    member("mo", PARTICIPANT_MANAGER, "one.example")
    member("stranger", PARTICIPANT_MANAGER, "three.example")
    User.objects.create_user("nobody", is_staff=False)
    page = kim.get(below(conflict, "change")).content.decode()
    offered = re.findall(r'<option value="\d+"[^>]*>(\w+)</option>', page)
    assert offered == ["kim", "mo"]

    mo, stranger = User.objects.get(username="mo"), User.objects.get(username="stranger")
    refused = kim.post(below(conflict, "journal", "follow-up"), {"follow_up-assignee": stranger.pk})
    assert "Select a valid choice" in words(refused)
    said = {"follow_up-assignee": mo.pk, "follow_up-wait_until": "2026-03-02"}
    kim.post(below(conflict, "journal", "follow-up"), said)

    page = words(kim.get(below(conflict, "change")))
    assert "Assigned to mo . Waits until 2026-03-02" in page
    assert "Assigned to mo. Waits until 2026-03-02." in JournalEntry.objects.get().text
    listed = words(kim.get("/admin/participants/participant/follow-ups/"))
    assert f"conflict {conflict.pk} one.example, two.example mo" in listed
    stop_clock(datetime(2026, 3, 2, 12, tzinfo=UTC))
    assert "due" in words(kim.get("/admin/participants/participant/follow-ups/"))
    assert "Nothing is to be followed up" in words(
        kim.get("/admin/participants/participant/follow-ups/?who=me")
    )

    kim.post(below(conflict, "journal", "follow-up"), {})
    assert not FollowUp.objects.exists()
    assert JournalEntry.objects.first().text == "No longer assigned to mo. No longer waits until 2026-03-02."  # type: ignore[union-attr]


def test_follow_ups_of_others_are_not_listed(kim: Client, conflict: Conflict) -> None:
    follow_ups.follow_up(
        conflict,
        assignee=None,
        wait_until=date(2026, 3, 2),
        by="kim",
        participants=[conflict.holder_id, conflict.claimant_id],
    )
    party("AGR", "three.example")
    other = member("other", PARTICIPANT_MANAGER, "three.example")
    assert "Nothing is to be followed up" in words(other.get("/admin/participants/participant/follow-ups/"))


def test_follow_ups_need_the_right_to_view_them(kim: Client) -> None:
    """An account without one of our groups may have the right to view participants alone."""
    page = "/admin/participants/participant/follow-ups/"
    user = User.objects.create_user("jo", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_participant", "see_every_participant"])
    )
    jo = Client()
    jo.force_login(user, "django.contrib.auth.backends.ModelBackend")
    assert jo.get("/admin/participants/participant/").status_code == 200
    assert jo.get(page).status_code == 403
    assert kim.get(page).status_code == 200


def test_the_journal_is_in_no_export_and_in_no_audit_entry(kim: Client, conflict: Conflict) -> None:
    comment(kim, conflict, "Secretword", ("Secretword.txt", b"Secretword"))
    for model in admin.site._registry:
        exported = kim.get(f"/admin/{model._meta.app_label}/{model._meta.model_name}/export/")
        if getattr(exported, "streaming", False):
            assert b"Secretword" not in b"".join(exported), model  # type: ignore[arg-type]
    assert not AuditEntry.objects.filter(reason__contains="Secretword").exists()
    assert not any(model in admin.site._registry for model in (JournalEntry, Attachment, FollowUp))


def test_a_comment_needs_text_or_a_file(kim: Client, conflict: Conflict) -> None:
    assert "Write a comment, or choose a file." in words(comment(kim, conflict, "  "))
    assert "Ensure this value has at most 5000 characters" in words(comment(kim, conflict, "x" * 5_001))
