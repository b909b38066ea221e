"""Participants are told of decisions by e-mail, through a real mail server on loopback, or else by hand."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.mail import get_connection
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from common import locks
from participants.admin_base.figures import Urgency
from participants.models import AuditEntry, Contact, Participant
from participants.scope import EVERYONE
from registry import tasks
from registry.admin.notices import notice_figures
from registry.changes import Source
from registry.decisions.reverse_many import settle_many_anew
from registry.decisions.settle import settle, settle_anew, settle_many, similar_conflicts
from registry.models import Conflict, Notice
from registry.notices import by_hand, queue, send
from registry.previews.effects import preview
from tests.registry.admin.conflicts.test_admin import limited, member
from tests.registry.admin.pages import TODAY, page_of, page_text, party, represented
from tests.support.polling import wait_for
from tests.support.smtp import MailServer, receiving_mail

pytestmark = pytest.mark.django_db

NOTICES = "/admin/registry/notice/"
SECRET = "the holder's contract had ended"
BY_KIM = Source.of_staff("kim", SECRET)


@pytest.fixture
def mail(settings: Any) -> Iterator[MailServer]:
    with receiving_mail() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 2
        settings.SITE_URL = "https://cro.example:8443"
        yield server


def contact(domain: str, email: str, *, told: bool = True) -> Contact:
    return Contact.objects.create(
        participant=party("AGR", domain), name="Ann", purpose="conflicts", email=email, is_told=told
    )


@pytest.fixture
def conflict(db: None) -> Conflict:
    """one.example and two.example contest a connection; each has contacts."""
    represented("one.example", 1)
    represented("two.example", 1)
    for domain in ("one.example", "two.example"):
        contact(domain, f"ann@{domain}")
        contact(domain, f"bob@{domain}")
        contact(domain, f"never@{domain}", told=False)
        Contact.objects.create(
            participant=party("AGR", domain), name="Cas", purpose="at night", telephone="1"
        )
    return Conflict.objects.get()


def give(conflict: Conflict) -> int:
    return settle(conflict.pk, "give", at=None, source=BY_KIM, today=TODAY)


def send_at(moment: datetime | None = None) -> None:
    send.send_due(now=lambda: moment or timezone.now(), stopping=lambda: False)


def states() -> set[tuple[str, str]]:
    rows = Notice.objects.select_related("participant")
    return {(notice.participant.domain, notice.state) for notice in rows}


def test_N1_both_parties_are_told_of_a_decision(mail: MailServer, conflict: Conflict) -> None:
    change = give(conflict)
    assert states() == {("one.example", "waiting"), ("two.example", "waiting")}
    assert not mail.messages

    tasks.send_notices()

    assert states() == {("one.example", "sent"), ("two.example", "sent")}
    assert mail.recipients == [
        f"{name}@{domain}" for domain in ("one.example", "two.example") for name in ("ann", "bob")
    ]
    assert len(mail.messages) == 4
    for message, to in zip(mail.messages, mail.recipients, strict=True):
        own = to.partition("@")[2]
        other = "two.example" if own == "one.example" else "one.example"
        text = str(message)
        assert message["To"] == to, "each address gets an e-mail of its own"
        assert f"decision {change}" in str(message["Subject"])
        assert f"https://cro.example:8443/admin/registry/change/{change}/change/" in text
        assert own in text
        assert other not in text, "the other party is never named"
        assert SECRET not in text, "the reason is never named"
        assert "kim" not in text
        assert message["Auto-Submitted"] == "auto-generated"
    assert Notice.objects.get(participant__domain="one.example").sent_to == [
        "ann@one.example",
        "bob@one.example",
    ]


def test_N1_every_way_to_settle_tells(mail: MailServer, conflict: Conflict) -> None:
    first = give(conflict)
    anew = settle_anew(conflict.pk, "keep", at=None, source=BY_KIM, today=TODAY)
    represented("one.example", 2, 3)
    represented("two.example", 2, 3)
    other = Conflict.objects.filter(closed_by=None)[0]
    many = settle_many(similar_conflicts(other), "give", at=None, source=BY_KIM, today=TODAY)
    again = settle_many_anew(many, "keep", at=None, source=BY_KIM, today=TODAY)
    told = Notice.objects.order_by("change", "participant").values_list("change", "participant__domain")
    assert list(told) == [
        (change, domain) for change in (first, anew, many, again) for domain in ("one.example", "two.example")
    ], "one notice for each party, whatever the number of conflicts"


def test_N1_a_preview_tells_nobody(mail: MailServer, conflict: Conflict) -> None:
    preview(lambda: give(conflict))
    assert not Notice.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_N1_the_job_is_queued_after_the_commit(mail: MailServer, conflict: Conflict) -> None:
    jobs = ProcrastinateJob.objects.filter(task_name=queue.TASK)
    with transaction.atomic():
        give(conflict)
        assert not jobs.exists()
    assert jobs.count() == 1
    with transaction.atomic():
        settle_anew(conflict.pk, "keep", at=None, source=BY_KIM, today=TODAY)
        transaction.set_rollback(True)
    assert Notice.objects.count() == 2


def test_N2_a_notice_is_sent_again_until_the_server_takes_it(mail: MailServer, conflict: Conflict) -> None:
    mail.answers = {"RCPT": 451}
    give(conflict)
    start = timezone.now()
    send_at(start)
    notice = Notice.objects.get(participant__domain="one.example")
    assert (notice.state, notice.tries) == ("waiting", 1)
    assert notice.detail == "The mail server refused the addresses (451)."
    assert notice.next_try_at == start + timedelta(minutes=1)
    send_at(start + timedelta(seconds=59))
    notice.refresh_from_db()
    assert notice.tries == 1

    mail.answers = {}
    send_at(start + timedelta(minutes=1))
    assert states() == {("one.example", "sent"), ("two.example", "sent")}
    assert len(mail.messages) == 4


@pytest.mark.parametrize("code", [450, 550])
def test_N2_only_the_addresses_that_the_server_took_are_recorded_as_told(
    mail: MailServer, conflict: Conflict, code: int
) -> None:
    """bob's address is refused, and ann's is not: for now (450) it is tried again, for good (550) it is not."""
    mail.refuses = {"bob@one.example": code}
    give(conflict)
    start = timezone.now()
    send_at(start)
    notice = Notice.objects.get(participant__domain="one.example")
    assert (notice.sent_to, notice.detail) == (
        ["ann@one.example"],
        f"The mail server refused the addresses ({code}).",
    )
    assert (notice.state, notice.refused) == (
        ("waiting", []) if code == 450 else ("by hand", ["bob@one.example"])
    )
    assert notice.finished_at is None or code == 550
    other = Notice.objects.get(participant__domain="two.example")
    assert (other.state, other.sent_to, other.refused) == ("sent", ["ann@two.example", "bob@two.example"], [])

    mail.refuses = {}
    send_at(start + timedelta(minutes=1))
    notice.refresh_from_db()
    assert mail.recipients.count("ann@one.example") == 1, "she has it already"
    assert mail.recipients.count("bob@one.example") == (code == 450)
    assert notice.state == ("sent" if code == 450 else "by hand")


def test_N2_an_address_that_is_refused_for_good_is_not_tried_with_those_that_are_tried_again(
    mail: MailServer, conflict: Conflict, client: Client
) -> None:
    mail.refuses = {"ann@one.example": 550, "bob@one.example": 451}
    give(conflict)
    start = timezone.now()
    send_at(start)
    notice = Notice.objects.get(participant__domain="one.example")
    assert (notice.state, notice.sent_to, notice.refused) == ("waiting", [], ["ann@one.example"])
    assert (
        notice.detail
        == "The mail server refused the addresses (550). The mail server refused the addresses (451)."
    )
    mail.refuses = {}
    send_at(start + timedelta(minutes=1))
    notice.refresh_from_db()
    assert (notice.state, notice.sent_to) == ("by hand", ["bob@one.example"])
    assert notice.detail == "The mail server refused an address for good at an earlier try."
    assert "ann@one.example" not in mail.recipients

    client.force_login(member("kim", "CRO operator"))
    page = page_text(client, f"/admin/registry/notice/{notice.pk}/change/")
    assert "Refused for good" in page
    assert "ann@one.example" in page
    asked = page_text(client, f"/admin/registry/notice/{notice.pk}/told/")
    assert "bob@one.example</a> (has the e-mail)" in asked
    assert "ann@one.example</a> (has the e-mail)" not in asked
    Contact.objects.filter(email="ann@one.example").update(email="anne@one.example")
    client.post(f"/admin/registry/notice/{notice.pk}/told/", {"reason": "a new address", "send": "yes"})
    send_at()
    notice.refresh_from_db()
    assert (notice.state, notice.refused) == ("sent", [])
    assert mail.recipients.count("bob@one.example") == 1
    assert mail.recipients[-1] == "anne@one.example"


def test_N2_an_address_has_a_notice_once_where_a_worker_dies_between_two(
    mail: MailServer, conflict: Conflict
) -> None:
    give(conflict)
    now = timezone.now()
    Notice.objects.filter(participant__domain="one.example").update(
        next_try_at=now, tries=1, sent_to=["ann@one.example"]
    )
    send_at(now)
    assert "ann@one.example" not in mail.recipients
    assert "bob@one.example" in mail.recipients
    assert Notice.objects.get(participant__domain="one.example").sent_to == [
        "ann@one.example",
        "bob@one.example",
    ]


def test_N2_after_a_day_staff_tell_by_hand(mail: MailServer, conflict: Conflict) -> None:
    mail.answers = {"MAIL": 421}
    give(conflict)
    now, tries = timezone.now(), 0
    while Notice.objects.filter(state="waiting").exists():
        due = Notice.objects.filter(state="waiting").order_by("next_try_at")[0].next_try_at
        assert due
        now, tries = max(due, now), tries + 1
        assert tries < 100
        send_at(now)
    assert states() == {("one.example", "by hand"), ("two.example", "by hand")}
    assert now - Notice.objects.earliest("pk").created_at >= timedelta(hours=24)


def test_N2_what_is_refused_for_good_is_told_by_hand_at_once(mail: MailServer, conflict: Conflict) -> None:
    mail.answers = {"RCPT": 550}
    give(conflict)
    send_at()
    assert states() == {("one.example", "by hand"), ("two.example", "by hand")}
    assert Notice.objects.earliest("pk").detail == "The mail server refused the addresses (550)."


def test_N2_a_mail_server_that_says_nothing_is_left_after_the_time_limit(
    mail: MailServer, conflict: Conflict, settings: Any
) -> None:
    settings.EMAIL_TIMEOUT = 1
    mail.silent.set()
    give(conflict)
    began = time.monotonic()
    send_at()
    assert time.monotonic() - began < 10
    assert mail.connections == 2
    assert {state for _, state in states()} == {"waiting"}
    assert Notice.objects.earliest("pk").detail.startswith("The mail server was not reached")


@pytest.mark.django_db(transaction=True)
def test_N2_one_worker_sends_and_in_no_transaction(mail: MailServer, conflict: Conflict) -> None:
    give(conflict)
    mail.silent.set()

    def send_in_a_worker() -> None:
        try:
            send_at()
        finally:
            connection.close()

    worker = Thread(target=send_in_a_worker)
    worker.start()
    wait_for("the worker to wait for the mail server", lambda: mail.connections == 1)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.state FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE l.locktype = 'advisory' AND l.objid = %s AND l.granted",
            [locks.NOTICES],
        )
        assert cursor.fetchall() == [("idle",)], "it holds the lock of sending, and no transaction"
    send_at()
    assert mail.connections == 1, "nobody else sends meanwhile"
    worker.join()


def test_N2_a_notice_whose_worker_died_is_sent_when_its_lease_ends(
    mail: MailServer, conflict: Conflict
) -> None:
    give(conflict)
    now = timezone.now()
    Notice.objects.update(next_try_at=now + send.LEASE, tries=1)
    send_at(now)
    assert not mail.messages
    send_at(now + send.LEASE)
    assert len(mail.messages) == 4


def test_N3_without_a_mail_server_participants_are_to_be_told_by_hand(
    conflict: Conflict, client: Client
) -> None:
    give(conflict)
    client.force_login(member("kim", "CRO operator"))
    page = re.sub(r"<[^>]*>", "", page_text(client, page_of(conflict)))
    reference = f"decision {Notice.objects.earliest('pk').change_id}"
    assert (
        f"Notices, as {reference}: AGR one.example: To be told by hand; AGR two.example: To be told by hand"
        in page
    )
    assert Notice.objects.earliest("pk").detail == "This CRO has no mail server (EMAIL_HOST)."
    assert "To be told by hand" in page_text(client, "/admin/")
    (figure,) = notice_figures(EVERYONE, timezone.now(), lambda model: True)
    assert (figure.number, figure.urgency) == ("2", Urgency.SOON), "it waits for staff"

    notice = Notice.objects.get(participant__domain="one.example")
    told = f"/admin/registry/notice/{notice.pk}/told/"
    asked = page_text(client, told)
    assert "ann@one.example" in asked
    assert "two.example" not in asked
    assert SECRET not in asked
    assert "Send the e-mail" not in asked
    assert "Say why" in client.post(told, {"reason": " "}).content.decode()
    client.post(told, {"reason": "called Ann at 14:00"})
    notice.refresh_from_db()
    assert (notice.state, notice.detail) == ("told", "called Ann at 14:00")
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.actor, entry.reason) == ("told by hand", "kim", "called Ann at 14:00")


def test_N3_several_are_recorded_as_told_at_once_with_one_reason(conflict: Conflict, client: Client) -> None:
    give(conflict)
    client.force_login(member("kim", "CRO operator"))
    notices = list(Notice.objects.order_by("pk"))
    chosen = {"action": "record_many_told", "_selected_action": [each.pk for each in notices]}

    asked = client.post(NOTICES, chosen).content.decode()

    said = " ".join(re.sub(r"<[^>]*>", " ", asked).split())
    for each in notices:
        assert f"{each.participant} decision {each.change_id} Ann, conflicts" in said
    assert SECRET not in said
    assert "Say why" in client.post(NOTICES, {**chosen, "reason": " "}).content.decode()
    assert states() == {("one.example", "by hand"), ("two.example", "by hand")}
    page = client.post(NOTICES, {**chosen, "reason": "called both at 14:00"}, follow=True).content.decode()
    assert "Recorded as told by hand: 2 notices." in page
    assert states() == {("one.example", "told"), ("two.example", "told")}
    assert set(Notice.objects.values_list("detail", flat=True)) == {"called both at 14:00"}
    assert AuditEntry.objects.filter(action="told by hand", reason="called both at 14:00").count() == 2
    again = client.post(NOTICES, {**chosen, "reason": "called both at 14:00"}, follow=True)
    assert "None of these is to be told by hand" in again.content.decode()


def test_N3_of_several_all_are_recorded_as_told_or_none(conflict: Conflict) -> None:
    give(conflict)
    first, second = Notice.objects.order_by("pk")
    by_hand.record_told([second], by="lee", how="met them", now=timezone.now())

    with pytest.raises(ValidationError, match=f"{second.participant} was told of {second.reference} already"):
        by_hand.record_told([first, second], by="kim", how="called", now=timezone.now())

    assert states() == {("one.example", "by hand"), ("two.example", "told")}


def test_N3_limited_staff_record_as_told_only_those_they_act_for(conflict: Conflict) -> None:
    give(conflict)
    client = limited("one.example")
    chosen = {"action": "record_many_told", "_selected_action": [each.pk for each in Notice.objects.all()]}
    assert "two.example" not in client.post(NOTICES, chosen).content.decode()

    client.post(NOTICES, {**chosen, "reason": "called Ann"})

    assert states() == {("one.example", "told"), ("two.example", "by hand")}


def test_N3_the_page_names_the_reference_as_the_e_mail_does_and_leads_to_the_next(
    conflict: Conflict, client: Client
) -> None:
    give(conflict)
    client.force_login(member("kim", "CRO operator"))
    first, second = Notice.objects.order_by("pk")

    page = page_text(client, f"{NOTICES}{second.pk}/told/")

    email = send.message_of(second, "ann@two.example", get_connection())
    reference = f"Reference: decision {second.change_id}"
    assert reference in email.body
    assert reference in re.sub(r"<[^>]*>", "", page)
    assert f'rel="next" href="{NOTICES}{first.pk}/told/"' in page
    answer = client.post(f"{NOTICES}{second.pk}/told/", {"reason": "called Ann", "_next": "yes"})
    assert answer["Location"] == f"{NOTICES}{first.pk}/told/"
    last = page_text(client, answer["Location"])
    assert f"It is recorded that {second.participant} was told." in last
    assert 'rel="next"' not in last
    assert "open the next" not in last


def test_N3_a_participant_without_an_address_is_told_by_hand_and_later_by_mail(
    mail: MailServer, conflict: Conflict, client: Client
) -> None:
    Contact.objects.filter(participant__domain="one.example").delete()
    give(conflict)
    assert states() == {("one.example", "by hand"), ("two.example", "waiting")}
    client.force_login(member("kim", "CRO operator"))
    contact("one.example", "new@one.example")
    notice = Notice.objects.get(participant__domain="one.example")
    client.post(
        f"/admin/registry/notice/{notice.pk}/told/", {"reason": "they have an address now", "send": "yes"}
    )
    send_at()
    assert states() == {("one.example", "sent"), ("two.example", "sent")}
    assert "new@one.example" in mail.recipients


def test_N3_limited_staff_see_the_notices_to_theirs_alone(conflict: Conflict) -> None:
    give(conflict)
    client = limited("one.example")
    page = re.sub(r"<[^>]*>", "", page_text(client, page_of(conflict)))
    assert ": AGR one.example: To be told by hand" in page.partition("Notices, as decision ")[2]
    assert "AGR two.example: To be told" not in page
    other = Notice.objects.get(participant__domain="two.example")
    assert client.get(f"/admin/registry/notice/{other.pk}/change/").status_code == 404
    assert client.post(f"/admin/registry/notice/{other.pk}/told/", {"reason": "x"}).status_code == 404
    assert Participant.objects.filter(domain="two.example").exists()


@pytest.mark.parametrize("address", [f"ann@{'é' * 60}.example", '"a\x0bBcc:x@evil.example"@agr.example'])
def test_N2_a_notice_to_an_address_that_no_email_can_have_is_told_by_hand(
    mail: MailServer, conflict: Conflict, address: str, caplog: Any
) -> None:
    Contact.objects.filter(participant__domain="one.example").delete()
    contact("one.example", address)
    give(conflict)
    send_at()
    assert states() == {("one.example", "by hand"), ("two.example", "sent")}
    assert Notice.objects.get(participant__domain="one.example").detail == send.UNWRITABLE
    assert address not in caplog.text
