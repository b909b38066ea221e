"""The staff's screens of messages, through HTTP requests of a member of staff."""

import html
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from guardian.shortcuts import assign_perm

from participants.models import AuditEntry, Participant
from tests.support.eans import ean
from tests.support.peer import Peer
from uftp.admin.messages import MAX_XML_BYTES
from uftp.delivery import outbox
from uftp.models import DeliveryAttempt, InboundMessage, OutboundMessage, Refusal
from uftp.protocol import parsing
from uftp.protocol.messages import Metadata, TestMessage
from uftp.receiving import inbox

IN = "/admin/uftp/inboundmessage/"
OUT = "/admin/uftp/outboundmessage/"
ATTEMPTS = "/admin/uftp/deliveryattempt/"
SENDERS = "/admin/uftp/sender/"
REFUSALS = "/admin/uftp/refusal/"
PARTICIPANTS = "/admin/participants/participant/"
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)

HOME, OTHER_HOME = "ean.871600000000000017", "ean.871600000000000024"
AGR, DSO = Peer("AGR", "agr.example"), Peer("DSO", "grid.example")


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    return client


@pytest.fixture
def viewer(client: Client, db: None) -> Client:
    """Staff who may look at everything and change nothing."""
    user = User.objects.create_user("lee", password="lee", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__regex="^(view|see_every)_"))
    client.force_login(user)
    return client


def received(
    peer: Peer = AGR, content: bytes | None = None, at: datetime = NOON, **values: Any
) -> InboundMessage:
    """A message in the inbox, with `values` in the place of what it was received with."""
    content = content or peer.xml()
    receipt = inbox.store(
        inbox.VerifiedMessage(
            role=peer.role,
            domain=peer.domain,
            sealed=peer.seal(content),
            content=content,
            header=parsing.check(content, 3),
            major=3,
            received_at=at,
        )
    )
    InboundMessage.objects.filter(pk=receipt.inbound_id).update(**values or {"state": "processed"})
    return InboundMessage.objects.get(pk=receipt.inbound_id)


def sent(peer: Peer = AGR, answers: InboundMessage | None = None, **values: Any) -> OutboundMessage:
    """A TestMessage in the outbox; it stands for an answer too."""
    match = re.search(rb'MessageID="([^"]*)"', peer.xml())
    assert match
    message_id = match[1].decode()
    outbound_id = outbox.enqueue(
        TestMessage(
            metadata=Metadata(
                version="3.1.0",
                sender_domain="cro.example",
                recipient_domain=peer.domain,
                time_stamp=NOON,
                message_id=message_id,
                conversation_id=answers.conversation_id if answers else message_id,
            )
        ),
        message_type="TestMessage",
        recipient_role=peer.role,
        now=NOON,
        in_reply_to=answers.pk if answers else None,
    )
    OutboundMessage.objects.filter(pk=outbound_id).update(**values or {"state": "delivered"})
    return OutboundMessage.objects.get(pk=outbound_id)


def attempted(message: OutboundMessage) -> DeliveryAttempt:
    return DeliveryAttempt.objects.create(
        message=message, started_at=NOON, endpoint="https://agr.example/in", status=503, outcome="temporary"
    )


def page_of(message: InboundMessage | OutboundMessage) -> str:
    return f"{IN if isinstance(message, InboundMessage) else OUT}{message.pk}/change/"


def page_text(client: Client, page: str) -> str:
    answer = client.get(page)
    assert answer.status_code == 200, (page, answer.status_code)
    return html.unescape(answer.content.decode())


def listed(client: Client, page: str) -> set[int]:
    """The keys of the rows that a list shows."""
    text = page_text(client, page)
    return {
        int(key)
        for key in re.findall(r'<th class="field-[\w ]+"><a href="/admin/uftp/\w+/(\d+)/change/', text)
    }


@pytest.mark.parametrize(
    "content",
    [b"<a>" * 40_000 + b"</a>" * 40_000, b"<a>" * 40 + b"<a/>" * 45_000 + b"</a>" * 40],
    ids=["deep", "deep and long"],
)
@pytest.mark.parametrize("kind", ["refused", "received"])
def test_no_message_makes_a_page_much_larger_than_itself(staff: Client, kind: str, content: bytes) -> None:
    if kind == "refused":
        page = f"{REFUSALS}{refusal(content=content).pk}/change/"
    else:
        page = page_of(received(sealed=AGR.seal(content), size=len(content), state="processed"))

    assert len(staff.get(page).content) < 1_500_000
    assert "Unchanged, because it cannot be made readable: it" in page_text(staff, page)


def test_messages_received_are_searched_and_filtered(staff: Client) -> None:
    plain = received(result="Accepted", state="processed")
    aside = received(DSO, state="set aside", last_error="ValueError: too odd", result="")
    late = received(content=AGR.update([HOME]), at=NOON + timedelta(days=1), result="Rejected")
    found = {
        "": {plain, aside, late},
        f"?q={plain.message_id}": {plain},
        f"?q={plain.message_id.upper()}": {plain},
        f"?q={aside.conversation_id}": {aside},
        "?q=nothing": set(),
        "?state__exact=set+aside": {aside},
        "?result=Rejected": {late},
        "?domain=grid.example": {aside},
        "?domain=%20AGR.example": {plain, late},
        "?domain=nobody.example": set(),
        "?type=AGRPortfolioUpdate": {late},
        "?received_at_from=2026-07-02": {late},
        "?received_at_to=2026-07-01": {plain, aside},
        "?received_at_from=2026-07-01&received_at_to=2026-07-02&domain=agr.example": {plain, late},
    }

    for query, messages in found.items():
        assert listed(staff, IN + query) == {message.pk for message in messages}, query


def test_messages_sent_are_searched_and_filtered(staff: Client) -> None:
    failed, delivered = sent(state="failed"), sent(DSO)
    found = {
        "": {failed, delivered},
        f"?q={failed.message_id}": {failed},
        "?state__exact=failed": {failed},
        "?domain=grid.example": {delivered},
        "?type=TestMessage": {failed, delivered},
        "?created_at_to=2026-06-30": set(),
    }

    for query, messages in found.items():
        assert listed(staff, OUT + query) == {message.pk for message in messages}, query


@pytest.mark.parametrize("day", ["soon", "2026-02-30", "9999-12-31"])
def test_a_day_that_is_none_is_refused_politely(staff: Client, day: str) -> None:
    assert staff.get(f"{IN}?received_at_to={day}").status_code == 302


def test_days_are_the_markets(staff: Client) -> None:
    """Half past eleven in the evening UTC is the next day in Amsterdam, and shown so."""
    message = received(at=datetime(2026, 7, 1, 22, 30, tzinfo=UTC))

    assert listed(staff, IN + "?received_at_from=2026-07-02&received_at_to=2026-07-02") == {message.pk}
    assert "2026-07-02 00:30:00 CEST" in page_text(staff, IN)
    assert "Times in Europe/Amsterdam" in page_text(staff, IN)


LISTS: dict[str, Callable[[], object]] = {
    IN: lambda: received(state="set aside", last_error="odd"),
    IN + "?domain=agr.example": received,
    OUT: lambda: sent(state="failed"),
    ATTEMPTS: lambda: attempted(sent()),
    SENDERS: lambda: received(Peer()),
    REFUSALS: lambda: refusal(content=b"<x/>"),
}


@pytest.mark.parametrize("page", LISTS)
def test_a_list_asks_as_much_for_60_rows_as_for_5(staff: Client, page: str) -> None:
    calls = []
    for rows in (5, 55):
        for _ in range(rows):
            LISTS[page]()
        page_text(staff, page)
        with CaptureQueriesContext(connection) as queries:
            page_text(staff, page)
        calls.append([query["sql"] for query in queries])

    assert len(calls[0]) == len(calls[1]), calls[1]
    about = [sql for sql in calls[1] if 'FROM "uftp_' in sql]
    assert about
    for sql in about:
        assert "LIMIT" in sql or '"uftp_sender"."domain" IN ' in sql, sql
        assert '"sealed"' not in sql, sql
        assert '"content"' not in sql, sql


def test_a_message_shows_its_xml_laid_out_and_escaped(staff: Client) -> None:
    message = received(content=AGR.update([HOME, OTHER_HOME]))

    page = staff.get(page_of(message)).content.decode()

    assert (
        f"\n  &lt;Connection EntityAddress=&quot;{HOME}&quot; StartPeriod=&quot;2026-01-01&quot;/&gt;" in page
    )
    assert f"\n  &lt;Connection EntityAddress=&quot;{OTHER_HOME}&quot;" in page


def test_of_a_big_message_only_the_beginning_is_read(staff: Client) -> None:
    content = AGR.update(ean(f"8716{number:013d}") for number in range(60_000))
    message = received(content=content)

    with CaptureQueriesContext(connection) as queries:
        page = page_text(staff, page_of(message))

    assert len(content) > 4_000_000
    assert len(page) < 3 * MAX_XML_BYTES
    assert "ean.871600000000000000" in page
    assert "ean.871600000000599993" not in page
    assert "The first 195.3" in page
    assert not [query["sql"] for query in queries if '"sealed"' in query["sql"]]


def test_the_whole_is_downloaded_as_it_was_signed(staff: Client) -> None:
    content = AGR.update(ean(f"8716{number:013d}") for number in range(60_000))
    for message in (received(content=content), sent()):
        answer: Any = staff.get(page_of(message).replace("change", "xml"))

        got = b"".join(answer.streaming_content)
        assert got == message.content
        assert answer["Content-Length"] == str(len(got))
        assert answer["Content-Disposition"].startswith(f'attachment; filename="{message.message_type}-')
    assert staff.get(f"{IN}0/xml/").status_code == 404


def test_xml_is_for_those_who_may_look(client: Client, db: None) -> None:
    message = received()
    page = page_of(message).replace("change", "xml")
    assert client.get(page).status_code == 302
    client.force_login(User.objects.create_user("guest", password="guest", is_staff=True))

    assert client.get(page).status_code == 403


def test_a_message_that_is_no_xml_is_shown_as_it_is(staff: Client) -> None:
    message = received()
    InboundMessage.objects.filter(pk=message.pk).update(sealed=bytes(64) + b"<A>&\xff", size=5)

    assert "Unchanged, because it cannot be made readable" in page_text(staff, page_of(message))


def test_a_message_names_its_answer_and_its_conversation(staff: Client) -> None:
    participant = Participant.objects.create(role="AGR", domain="agr.example")
    message = received(reason="Warning: <b>odd</b>")
    answer = sent(answers=message, result="Accepted", state="failed")

    page = staff.get(page_of(message)).content.decode()

    assert f'href="{page_of(answer)}">TestMessage: Accepted, Failed<' in page
    assert f'href="{PARTICIPANTS}{participant.pk}/change/">AGR agr.example<' in page
    assert "AGR agr.example" in page_text(staff, page_of(answer))
    assert f"{OUT}?q={message.conversation_id}" in page
    assert "Warning: &lt;b&gt;odd" in page
    assert f'href="{page_of(message)}"' in page_text(staff, page_of(answer))


def test_an_outbound_message_shows_its_attempts(staff: Client) -> None:
    message = sent(state="failed")
    attempted(message)

    page = page_text(staff, page_of(message))

    assert "2026-07-01 14:00:00 CEST" in page
    assert "https://agr.example/in" in page
    assert "503" in page
    assert "Temporary failure" in page_text(staff, ATTEMPTS)


def act(client: Client, page: str, action: str, *chosen: Any, **values: str) -> str:
    """Choose an action for rows of a list; gives the page that follows."""
    answer = client.post(
        page, {"action": action, "_selected_action": [row.pk for row in chosen], **values}, follow=True
    )
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def jobs() -> list[dict[str, Any]]:
    """The arguments of the wake-ups that wait."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT args FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id")
        return [json.loads(row[0]) if isinstance(row[0], str) else row[0] for row in cursor]


def test_process_again_what_was_set_aside(staff: Client) -> None:
    participant = Participant.objects.create(role="AGR", domain="agr.example")
    aside, done = received(state="set aside", attempts=3, last_error="odd"), received(DSO)
    assert "ValueError" not in page_text(staff, IN)

    text = act(staff, IN, "process_again", aside, done)

    assert "Process again: one message" in text
    assert "1 of the selected messages is left out" in text
    assert f"{page_of(aside)}" in text
    aside.refresh_from_db()
    assert aside.state == "set aside"
    assert "Say why" in act(staff, IN, "process_again", aside, done, reason=" ")
    text = act(staff, IN, "process_again", aside, reason="the disk is back")
    assert "1 message is to be processed again" in text
    aside.refresh_from_db()
    done.refresh_from_db()
    assert (aside.state, aside.attempts, done.state) == ("received", 0, "processed")
    assert jobs() == [{"sender_id": aside.sender_id}]
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.subject, entry.reason, entry.participants) == (
        "kim",
        "process again",
        f"{aside} of AGR agr.example",
        "the disk is back",
        [participant.pk],
    )
    assert "Only messages that are set aside" in act(staff, IN, "process_again", done)


def test_process_again_from_the_page_of_a_message(staff: Client) -> None:
    aside, done = received(state="set aside", attempts=3), received(DSO)
    question = f"{IN}{aside.pk}/process-again/"
    assert f'href="{question}"' in page_text(staff, page_of(aside))
    assert "process-again" not in page_text(staff, page_of(done))
    assert "Process again" in page_text(staff, question)
    assert staff.post(question, {"reason": ""}).status_code == 200
    aside.refresh_from_db()
    assert aside.state == "set aside"

    answer = staff.post(question, {"reason": "repaired"}, follow=True)

    assert answer.redirect_chain[-1][0] == page_of(aside)
    assert b"1 message is to be processed again" in answer.content
    aside.refresh_from_db()
    assert aside.state == "received"
    assert AuditEntry.objects.get().participants == []
    assert b"Only messages that are set aside" in staff.get(question, follow=True).content


def test_send_again_what_failed_or_arrived_nowhere(staff: Client) -> None:
    """Whatever its state, and all at once; for what waits, that means now."""
    hour = timedelta(hours=1)
    failed = sent(state="failed", attempts=9, finished_at=NOON)
    delivered = sent(DSO, state="delivered", finished_at=NOON)
    waiting = sent(DSO, state="waiting", attempts=5, next_attempt_at=timezone.now() + hour)
    posted = sent(DSO, state="waiting", attempts=2, claimed_until=timezone.now() + hour)
    assert "Send again" in page_text(staff, page_of(failed))
    assert "Send now" in page_text(staff, page_of(waiting))
    assert "Send now" not in page_text(staff, page_of(posted))
    chosen = [failed, delivered, waiting, posted]
    text = act(staff, OUT, "send_again", *chosen)
    assert "Send again: 3 messages" in text
    assert "1 of the selected messages is left out" in text

    text = act(staff, OUT, "send_again", *chosen, reason="its system is back")

    assert "3 messages are to be sent again" in text
    for message in (failed, delivered, waiting):
        message.refresh_from_db()
        assert (message.state, message.attempts, message.finished_at) == ("waiting", 0, None)
        assert message.next_attempt_at
        assert message.next_attempt_at <= timezone.now()
    posted.refresh_from_db()
    assert posted.attempts == 2
    assert jobs() == [{"role": "AGR", "domain": "agr.example"}, {"role": "DSO", "domain": "grid.example"}]
    assert {entry.action for entry in AuditEntry.objects.all()} == {"send again"}
    assert AuditEntry.objects.count() == 3
    assert "It is being sent at this moment" in act(staff, OUT, "send_again", posted)


def test_an_attempt_says_in_words_what_it_meant_and_when_the_next_one_is_due(staff: Client) -> None:
    message = sent(
        state="waiting",
        attempts=2,
        next_attempt_at=NOON + timedelta(hours=1),
        give_up_at=NOON + timedelta(days=1),
    )
    for status, outcome, detail in (
        (None, "temporary", "connection refused"),
        (404, "temporary", "HTTP 404"),
    ):
        DeliveryAttempt.objects.create(
            message=message, started_at=NOON, finished_at=NOON, status=status, outcome=outcome, detail=detail
        )

    page = page_text(staff, page_of(message))

    for words in (
        "Nobody answers at this address: nothing accepts connections there.",
        "connection refused",
        "the endpoint may be wrong",
        "The next attempt is due.",
        "Attempt 3 is due at 2026-07-01 15:00:00 CEST. It is given up at 2026-07-02 14:00:00 CEST.",
    ):
        assert words in page, words
    OutboundMessage.objects.update(state="failed", next_attempt_at=None, finished_at=NOON)
    assert "given up at 2026-07-01 14:00:00 CEST" in page_text(staff, page_of(message))


def test_the_conversation_is_shown_with_the_same_participant_alone(staff: Client) -> None:
    message = received(result="Rejected", reason="Invalid Message: odd", state="processed")
    answer = sent(answers=message, result="Rejected", state="failed")
    foreign = received(DSO, content=DSO.xml(ConversationID=message.conversation_id))

    page = page_text(staff, page_of(message))

    thread = page[page.index('class="thread"') : page.index("</ol>", page.index('class="thread"'))]
    assert '<li class="received" aria-current="true">' in thread
    assert f'href="{page_of(answer)}">TestMessage</a>' in thread
    assert page_of(foreign) not in thread
    assert 'aria-current="true"' in page_text(staff, page_of(answer))


def test_a_rejection_is_explained(staff: Client) -> None:
    future = AGR.xml(TimeStamp="2099-01-01T00:00:00Z")
    message = received(
        content=future,
        result="Rejected",
        reason="Unauthorized; Invalid Message: TimeStamp is ahead",
        state="processed",
    )

    page = page_text(staff, page_of(message))

    assert page.index("The sender may not act") < page.index("The message was read, but this CRO")
    assert "By the schema of version 3 nothing is wrong with it" in page
    accepted = received(DSO, result="Accepted", reason="Warning: cut", state="processed")
    for absent in ("what this means", "By the schema", "last error", "setbacks"):
        assert absent not in page_text(staff, page_of(accepted)).replace(
            "What this means", "what this means"
        ), absent


def refusal(peer: Peer = AGR, content: bytes | None = None, **values: Any) -> Refusal:
    data: dict[str, Any] = {
        "status": 401,
        "line": "Body: the signature does not verify",
        "verified": content is not None,
        "content": content,
        "content_size": None if content is None else len(content),
        "address": "192.0.2.7",
        **values,
    }
    return Refusal.objects.create(at=NOON, role=peer.role, domain=peer.domain, major=3, size=1000, **data)


def test_refusals_are_searched_and_filtered(staff: Client) -> None:
    forged, large = refusal(), refusal(DSO, status=413, address="198.51.100.1")
    found = {
        "": {forged, large},
        "?domain=grid.example": {large},
        "?role=AGR": {forged},
        "?status=413": {large},
        "?verified__exact=0": {forged, large},
        "?at_from=2026-07-02": set(),
        "?q=192.0.2.7": {forged},
        "?q=grid.": {large},
    }

    for query, rows in found.items():
        assert listed(staff, REFUSALS + query) == {row.pk for row in rows}, query


def test_a_refusal_of_a_proven_sender_is_explained_line_by_line(staff: Client) -> None:
    content = AGR.update([HOME]).replace(b"><Connection", b">\n  <Connection").replace(b"2026-01-01", b"soon")
    row = refusal(content=content, status=400, line="Body: line 2, column 3: Element 'Connection' …")

    page = page_text(staff, f"{REFUSALS}{row.pk}/change/")

    assert "is not valid by the schema of its version" in page
    assert "Line 2, column 3, /AGRPortfolioUpdate/Connection/@StartPeriod" in page
    assert "StartPeriod is 'soon', which is not a day of the calendar." in page
    assert f'<Connection EntityAddress="{HOME}" StartPeriod="soon"/>' in page
    answer = staff.get(f"{REFUSALS}{row.pk}/xml/")
    assert answer.content == content
    assert answer["Content-Disposition"] == f'attachment; filename="refused-{row.pk}.xml"'


def test_a_refusal_that_proves_nothing_says_so(staff: Client) -> None:
    participant = Participant.objects.create(role="AGR", domain="agr.example")
    row = refusal()

    page = page_text(staff, f"{REFUSALS}{row.pk}/change/")

    assert "It is not proven that the request came from this participant" in page
    assert "Compare the public key on the participant's page" in page
    assert f'href="{PARTICIPANTS}{participant.pk}/change/"' in page
    assert staff.get(f"{REFUSALS}{row.pk}/xml/").status_code == 404
    forgotten = refusal(verified=True)
    assert "no longer stored" in page_text(staff, f"{REFUSALS}{forgotten.pk}/change/")


def test_of_a_large_refused_message_the_beginning_is_shown(staff: Client) -> None:
    row = refusal(content=AGR.update([HOME])[:300], status=400, content_size=40_000_000)

    page = page_text(staff, f"{REFUSALS}{row.pk}/change/")

    assert "Only the beginning of this large message is stored" in page
    assert "The first 300" in page
    assert "of 38.1" in page


def test_limited_staff_get_the_messages_of_theirs_alone(client: Client, db: None) -> None:
    own = Participant.objects.create(role="AGR", domain="agr.example")
    Participant.objects.create(role="DSO", domain="grid.example")
    user = User.objects.create_user("sam", password="sam", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__startswith="view_")
        | Permission.objects.filter(codename__in=["change_inboundmessage", "change_outboundmessage"])
    )
    assign_perm("participants.view_participant", user, own)
    client.force_login(user)
    rows = {
        IN: (received(state="set aside"), received(DSO, state="set aside")),
        OUT: (sent(state="failed"), sent(DSO, state="failed")),
        REFUSALS: (refusal(content=AGR.xml()), refusal(DSO, content=DSO.xml())),
    }
    rows[ATTEMPTS] = attempted(rows[OUT][0]), attempted(rows[OUT][1])  # type: ignore[assignment,arg-type]
    again = {IN: "process-again", OUT: "send-again"}

    for page, (mine, foreign) in rows.items():
        assert listed(client, page) == {mine.pk}, page
        assert "grid.example" not in page_text(client, page), page
        assert client.get(f"{page}{foreign.pk}/change/").status_code == 404, page
        for below in filter(None, ["xml" if page != ATTEMPTS else "", again.get(page)]):
            assert client.get(f"{page}{foreign.pk}/{below}/").status_code == 404, (page, below)
        if page in again:
            assert client.get(f"{page}{mine.pk}/{again[page]}/").status_code == 403, "only looked at"
            assert again[page] not in page_text(client, f"{page}{mine.pk}/change/")
            act(client, page, again[page].replace("-", "_"), mine, foreign, reason="because")
    assert not AuditEntry.objects.exists()
    assign_perm("participants.change_participant", user, own)
    for page, below in again.items():
        mine, foreign = rows[page]
        act(client, page, below.replace("-", "_"), mine, foreign, reason="because")
    assert [entry.participants for entry in AuditEntry.objects.all()] == [[own.pk], [own.pk]]


def test_send_a_test_message(staff: Client) -> None:
    participant = Participant.objects.create(role="DSO", domain="grid.example")

    text = act(staff, PARTICIPANTS, "send_test_messages", participant)

    message = OutboundMessage.objects.get()
    assert (message.message_type, message.recipient_role, message.recipient_domain) == (
        "TestMessage",
        "DSO",
        "grid.example",
    )
    assert f"{PARTICIPANTS}{participant.pk}/test-message/{message.pk}/" in text
    assert jobs() == [{"role": "DSO", "domain": "grid.example"}]
    assert AuditEntry.objects.get().action == "sent TestMessage"


def test_who_may_only_look_gets_no_action(viewer: Client) -> None:
    aside, failed = received(state="set aside"), sent(state="failed")
    participant = Participant.objects.create(role="DSO", domain="grid.example")

    act(viewer, IN, "process_again", aside, reason="because")
    act(viewer, OUT, "send_again", failed, reason="because")
    act(viewer, PARTICIPANTS, "send_test_messages", participant)

    aside.refresh_from_db()
    failed.refresh_from_db()
    assert (aside.state, failed.state, OutboundMessage.objects.count()) == ("set aside", "failed", 1)
    assert "Process again" not in page_text(viewer, page_of(aside))
    assert viewer.post(f"{IN}{aside.pk}/process-again/", {"reason": "because"}).status_code == 403
    assert viewer.post(f"{OUT}{failed.pk}/send-again/", {"reason": "because"}).status_code == 403


def test_messages_are_neither_added_nor_changed_nor_deleted(staff: Client) -> None:
    message, outbound = received(), sent()
    rows = {
        IN: message,
        OUT: outbound,
        ATTEMPTS: attempted(outbound),
        SENDERS: message.sender,
        REFUSALS: refusal(),
    }

    for page, row in rows.items():
        assert staff.get(f"{page}{row.pk}/change/").status_code == 200
        assert staff.post(f"{page}{row.pk}/change/", {"state": "received"}).status_code == 403
        assert staff.get(f"{page}add/").status_code == 403
        assert staff.post(f"{page}{row.pk}/delete/", {"post": "yes"}).status_code == 403
        assert "delete_selected" not in page_text(staff, page)


def test_a_participant_leads_to_its_messages(staff: Client) -> None:
    participant = Participant.objects.create(role="AGR", domain="agr.example")

    page = page_text(staff, f"{PARTICIPANTS}{participant.pk}/change/")

    for target in (IN, OUT, "/admin/registry/conflict/"):
        assert f'href="{target}?domain=agr.example"' in page
    assert 'href="/admin/registry/connection/?agr=agr.example"' in page


def test_the_index_is_in_the_order_of_the_work(staff: Client) -> None:
    page = page_text(staff, "/admin/")
    lists = page[page.index('class="tables"') :]

    apps = re.findall(r'<h3><a href="[^"]*">([^<]*)</a>', lists)
    assert apps[:5] == [
        "Participants",
        "Common reference",
        "UFTP messages",
        "Flexibility reservations",
        "Staff",
    ]
    named = (
        "Participants",
        "Conflicts",
        "Connections",
        "Changes",
        "Received messages",
        "Sent messages",
        "Delivery attempts",
        "Refused requests",
        "Unknown senders",
        "Paused recipients",
        "Searches in messages",
    )
    places = [lists.index(f">{name}</a>") for name in named]
    assert places == sorted(places)
    for unused in ("Procrastinate jobs", "Senders"):
        assert f">{unused}</a>" not in lists
