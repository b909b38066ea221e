"""Rules M1 to M14: what every message is checked for, in which order messages are handled, and what is answered."""

import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.db import OperationalError, connection, transaction

from common import locks, retry
from participants.models import Mode, Participant
from tests.support.exchange import drain, exchange, handled_by, receive
from tests.support.peer import Peer
from tests.support.polling import wait_for
from uftp.handlers import Incoming, Outcome, Rejection
from uftp.models import InboundMessage, OutboundMessage, Sender
from uftp.processing import dead_letters
from uftp.processing import drain as inbox_drain
from uftp.protocol.parsing import UnusableValue

pytestmark = pytest.mark.django_db(transaction=True)

QUERY = {"TimeZone": "Europe/Amsterdam", "Period": "2026-05-01"}


@pytest.fixture
def agr() -> Peer:
    sender = Peer("AGR")
    sender.register()
    return sender


def root(answer: OutboundMessage) -> ElementTree.Element:
    return ElementTree.fromstring(answer.content)


def reasons(answer: OutboundMessage) -> list[str]:
    assert answer.result == "Rejected", answer.result
    return answer.reason.split("; ")


def used_before(message_id: str) -> str:
    return f"Duplicate Identifier: MessageID {message_id} was used before, with other content"


def test_an_answer_has_the_form_of_its_request(agr: Peer) -> None:
    message_id = str(uuid.uuid4()).upper()
    answer = exchange(agr, agr.xml("AGRPortfolioQuery", MessageID=message_id, Version="3.0.0", **QUERY))
    attributes = root(answer).attrib
    assert root(answer).tag == answer.message_type == "AGRPortfolioQueryResponse"
    assert attributes["AGRPortfolioQueryMessageID"] == message_id
    assert attributes["ConversationID"] == answer.conversation_id
    assert attributes["SenderDomain"] == "cro.example"
    assert attributes["RecipientDomain"] == agr.domain == answer.recipient_domain
    assert attributes["Version"] == "3.0.0"
    assert attributes["MessageID"] == answer.message_id != message_id
    message = InboundMessage.objects.get()
    assert (message.state, message.result, message.reason) == ("processed", answer.result, answer.reason)


def test_warnings_are_an_accepted_answer_with_a_reason(agr: Peer) -> None:
    with handled_by("TestMessage", lambda incoming: Outcome(warnings=("first thing", "second thing"))):
        answer = exchange(agr, agr.xml(Version="4.0.0"), 4)
    assert (answer.result, answer.reason) == ("Accepted", "Warning: first thing; second thing")


def test_a_rejection_undoes_what_its_handler_wrote(agr: Peer) -> None:
    def handle(incoming: Incoming) -> Outcome:
        Participant.objects.create(role="DSO", domain="written.example")
        raise Rejection(["Period out of bounds: x", "Connection conflict: y"])

    with handled_by("TestMessage", handle):
        answer = exchange(agr, agr.xml())
    assert reasons(answer) == ["Period out of bounds: x", "Connection conflict: y"]
    assert not Participant.objects.filter(domain="written.example").exists()


def test_what_a_handler_looks_up_is_asked_once_for_each_message_and_outside_its_transaction(
    agr: Peer,
) -> None:
    handled: list[str] = []
    calls: list[bool] = []

    def ask() -> str:
        calls.append(connection.in_atomic_block)
        return f"answer {len(calls)}"

    def handle(incoming: Incoming) -> Outcome:
        handled.append(incoming.header.message_id)
        Participant.objects.create(role="DSO", domain=f"written{len(handled)}.example")
        return Outcome(warnings=(incoming.look_up("a question", ask), incoming.look_up("another", ask)))

    with handled_by("TestMessage", handle):
        answers = [exchange(agr, agr.xml()).reason for _ in range(2)]
    assert answers == ["Warning: answer 1; answer 2", "Warning: answer 3; answer 4"]
    assert calls == [False] * 4
    assert len(handled) == 6
    written = Participant.objects.filter(domain__startswith="written").values_list("domain", flat=True)
    assert sorted(written) == ["written3.example", "written6.example"], "only what was handled to its end"


def test_M14_a_look_up_that_fails_is_a_failure_of_its_message(
    agr: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "PAUSE", 0.0)

    def ask() -> str:
        raise RuntimeError("nobody answers")

    with handled_by("TestMessage", lambda incoming: Outcome(warnings=(incoming.look_up("question", ask),))):
        received = receive(agr, agr.xml())
        drain(agr)
    received.refresh_from_db()
    assert (received.state, received.attempts) == ("set aside", dead_letters.TRIES)
    assert received.last_error == "RuntimeError: nobody answers"


def test_M1_sender_domain_differs_from_the_envelope(agr: Peer) -> None:
    answer = exchange(agr, agr.xml(SenderDomain="other.example"))
    named = f"other.example in the message, {agr.domain} in the envelope"
    assert reasons(answer) == [f"Mismatch SenderDomain: {named}"]
    assert answer.recipient_domain == agr.domain


def test_M2_role_may_not_send_this(agr: Peer) -> None:
    dso = Peer("DSO")
    dso.register()
    answer = exchange(dso, dso.xml("AGRPortfolioQuery", **QUERY))
    assert reasons(answer) == ["Invalid SenderRole: DSO may not send AGRPortfolioQuery"]
    assert root(answer).find("DSO-View") is not None, "the placeholder that a schema demands"


def test_M3_barred_sender() -> None:
    agr = Peer("AGR")
    agr.register(standing="barred")
    assert reasons(exchange(agr, agr.xml("AGRPortfolioQuery", **QUERY))) == ["Barred Sender"]


@pytest.mark.parametrize(
    ("standing", "mode", "why"),
    [
        ("suspended", "open", "this participant is suspended"),
        ("suspended", "closed", "this participant is suspended"),
        ("known", "closed", "this CRO is in closed mode, and this participant is not authorized"),
    ],
)
def test_M4_unauthorized_sender_is_told_whether_it_is_suspended_or_the_mode_is_closed(
    standing: str, mode: str, why: str
) -> None:
    Mode.objects.update_or_create(pk=1, defaults={"value": mode})
    agr = Peer("AGR")
    agr.register(standing=standing)
    assert reasons(exchange(agr, agr.xml("AGRPortfolioQuery", **QUERY))) == [f"Unauthorized: {why}"]


def test_M4_a_sender_that_is_not_on_record_when_its_message_is_handled() -> None:
    """The CRO is open by then. Its update needs a participant to hold the connections, and is answered all the same."""
    agr = Peer("AGR")
    participant = agr.register()
    update = receive(agr, agr.update(["ean.871600000000000017"]))
    query = receive(agr, agr.xml("AGRPortfolioQuery", **QUERY))
    participant.delete()
    drain(agr)
    for message in (update, query):
        (reason,) = reasons(OutboundMessage.objects.get(in_reply_to=message))
        assert reason == "Unauthorized: this participant is not registered any more"
    assert not Participant.objects.exists()


def test_M5_unknown_recipient(agr: Peer) -> None:
    answer = exchange(agr, agr.xml(RecipientDomain="elsewhere.example"))
    assert reasons(answer) == [
        "Unknown RecipientDomain: elsewhere.example is not this CRO, which is cro.example"
    ]


def test_M6_a_type_that_a_cro_does_not_handle(agr: Peer) -> None:
    content = agr.xml("FlexOfferRevocation", FlexOfferMessageID=str(uuid.uuid4()))
    answer = exchange(agr, content)
    assert reasons(answer) == ["Invalid Message: a CRO does not handle FlexOfferRevocation"]
    assert answer.message_type == "FlexOfferRevocationResponse"


@pytest.mark.parametrize("version", ["3.2.0", "2.0.0", "4.0.0", "3.1." + "9" * 300])
def test_M7_version_unsupported_or_not_the_paths(agr: Peer, version: str) -> None:
    """The answer is in a version of the path."""
    answer = exchange(agr, agr.xml(Version=version))
    assert reasons(answer)[0].startswith("Invalid Message: version "), answer.reason
    assert answer.version in {"3.0.0", "3.1.0"}


@pytest.mark.parametrize(("version", "answered"), [("3.1.1", "3.1.0"), ("3.0.7", "3.0.0")])
def test_M7_a_patch_is_read_as_its_minor_and_answered_in_it(agr: Peer, version: str, answered: str) -> None:
    answer = exchange(agr, agr.xml("AGRPortfolioQuery", Version=version, **QUERY))
    assert "Invalid Message" not in answer.reason
    assert (answer.version, root(answer).attrib["Version"]) == (answered, answered)
    assert "AGRPortfolioQueryMessageID" in root(answer).attrib
    assert InboundMessage.objects.get().version == version


def test_M7_the_reason_says_which_versions_are_supported_and_where(agr: Peer) -> None:
    assert reasons(exchange(agr, agr.xml(Version="3.2.0"))) == [
        "Invalid Message: version 3.2.0 is not supported, only 3.0.0 and 3.1.0 are on /shapeshifter/api/v3/message"
    ]
    assert reasons(exchange(agr, agr.xml(Version="3.1.0"), 4)) == [
        "Invalid Message: version 3.1.0 belongs on /shapeshifter/api/v3/message, not on /shapeshifter/api/v4/message"
    ]


def test_M7_a_patch_of_the_next_version(agr: Peer) -> None:
    answer = exchange(agr, agr.xml(Version="4.0.1"), 4)
    assert (answer.result, answer.version) == ("Accepted", "4.0.0")


def test_M9_time_stamp_ahead(agr: Peer) -> None:
    soon, late = (datetime.now(UTC) + timedelta(minutes=minutes) for minutes in (4, 6))
    assert exchange(agr, agr.xml(TimeStamp=soon.isoformat())).result == "Accepted"
    assert reasons(exchange(agr, agr.xml(TimeStamp=late.isoformat()))) == [
        f"Invalid Message: TimeStamp {late.isoformat()} is 6 minutes ahead of this CRO's clock, more than 5"
    ]


def test_M9_a_time_stamp_without_offset_is_named_as_the_cause(agr: Peer) -> None:
    """A clock on the wall in Amsterdam is one or two hours ahead of UTC."""
    local = (datetime.now(UTC) + timedelta(hours=1)).replace(tzinfo=None).isoformat(timespec="seconds")
    assert reasons(exchange(agr, agr.xml(TimeStamp=local))) == [
        f"Invalid Message: TimeStamp {local} has no offset from UTC, so it is read as UTC, and is 60 minutes ahead of"
        " this CRO's clock, more than 5: add Z or the offset, such as +01:00"
    ]


@pytest.mark.parametrize("stamp", ["12026-01-01T00:00:00Z", "-0001-01-01T00:00:00Z", "2026-01-01T24:00:00Z"])
def test_M8_time_stamp_that_no_calendar_holds(agr: Peer, stamp: str) -> None:
    """Hour 24 is the next day's first moment, which is one; the years are none."""
    answer = exchange(agr, agr.xml(TimeStamp=stamp))
    if "T24" in stamp:
        assert answer.result in {"Accepted", "Rejected"}
    else:
        assert reasons(answer)[0].startswith("Invalid Message"), answer.reason


def test_M8_unusable_value_found_by_the_handler(agr: Peer) -> None:
    def handle(incoming: Incoming) -> Outcome:
        raise UnusableValue("Period 12026-01-01 is beyond any calendar")

    with handled_by("TestMessage", handle):
        answer = exchange(agr, agr.xml())
    assert reasons(answer) == ["Invalid Message: Period 12026-01-01 is beyond any calendar"]


def test_M8_a_query_for_a_day_that_no_calendar_holds(agr: Peer) -> None:
    """The answer repeats the Period as it came."""
    answer = exchange(agr, agr.xml("AGRPortfolioQuery", TimeZone="Europe/Amsterdam", Period="12026-01-01"))
    assert reasons(answer)[0].startswith("Invalid Message"), answer.reason
    assert root(answer).attrib["Period"] == "12026-01-01"


def test_M10_message_id_used_before_with_other_content(agr: Peer) -> None:
    message_id = str(uuid.uuid4())
    assert exchange(agr, agr.xml(MessageID=message_id)).result == "Accepted"
    assert reasons(exchange(agr, agr.xml(MessageID=message_id.upper()))) == [used_before(message_id.upper())]
    other = Peer("DSO", agr.domain)
    other.register()
    assert exchange(other, other.xml(MessageID=message_id)).result == "Accepted"


def test_M10_a_message_set_aside_keeps_its_message_id(agr: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later one with its MessageID is the duplicate, before and after staff have the first one processed again."""
    monkeypatch.setattr(dead_letters, "PAUSE", 0.01)
    message_id = str(uuid.uuid4())
    with handled_by("TestMessage", lambda incoming: fail_in_postgresql("22012")):
        first = receive(agr, agr.xml(MessageID=message_id))
        drain(agr)
    assert reasons(exchange(agr, agr.xml(MessageID=message_id))) == [used_before(message_id)]
    assert dead_letters.process_again(first)
    assert reasons(exchange(agr, agr.xml(MessageID=message_id))) == [used_before(message_id)]
    first.refresh_from_db()
    assert (first.state, first.result) == ("processed", "Accepted")
    assert reasons(exchange(agr, agr.xml(MessageID=message_id))) == [used_before(message_id)]


def test_M10_a_receipt_that_commits_late_is_the_duplicate_of_what_was_taken_up(
    agr: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its id is lower than that of the message which was set aside before it was there."""
    monkeypatch.setattr(dead_letters, "PAUSE", 0.01)
    message_id = str(uuid.uuid4())
    receive(agr, agr.xml())
    inserted, commit = threading.Event(), threading.Event()

    def insert_and_wait() -> None:
        try:
            with transaction.atomic():
                receive(agr, agr.xml(MessageID=message_id))
                inserted.set()
                assert commit.wait(20)
        finally:
            connection.close()

    late = threading.Thread(target=insert_and_wait)
    late.start()
    assert inserted.wait(20)
    with handled_by("TestMessage", lambda incoming: fail_in_postgresql("22012")):
        first = receive(agr, agr.xml(MessageID=message_id))
        drain(agr)
    assert dead_letters.process_again(first)
    commit.set()
    late.join(20)
    drain(agr)
    first.refresh_from_db()
    other = InboundMessage.objects.exclude(pk=first.pk).get(message_id=message_id)
    assert other.pk < first.pk
    assert (first.result, other.reason) == ("Accepted", used_before(message_id))


def test_M11_a_copy_that_comes_before_there_is_an_answer_does_not_count(agr: Peer) -> None:
    content = agr.xml()
    receive(agr, content)
    receive(agr, content)
    drain(agr)
    OutboundMessage.objects.update(state="delivered", next_attempt_at=None)
    receive(agr, content)
    assert OutboundMessage.objects.get().state == "waiting", "the answer is sent again"


def test_M11_identical_copy_is_not_handled_again_and_answered_again(agr: Peer) -> None:
    content = agr.xml()
    answer = exchange(agr, content)
    receive(agr, content)
    assert drain(agr) == []
    answer.refresh_from_db()
    assert answer.state == "waiting"
    delivered = {
        "state": "delivered",
        "next_attempt_at": None,
        "finished_at": datetime.now(UTC) - timedelta(hours=1),
    }
    OutboundMessage.objects.update(**delivered)
    receive(agr, content)
    assert OutboundMessage.objects.get().state == "waiting", "the answer is sent again"
    OutboundMessage.objects.update(**delivered)
    receive(agr, content)
    assert OutboundMessage.objects.get().state == "delivered", "copies are answered once a minute"
    InboundMessage.objects.update(last_copy_at=datetime.now(UTC) - timedelta(seconds=61))
    receive(agr, content)
    again = OutboundMessage.objects.get()
    assert (again.state, bytes(again.sealed)) == ("waiting", bytes(answer.sealed))
    assert again.next_attempt_at is not None
    assert again.next_attempt_at <= datetime.now(UTC)
    assert InboundMessage.objects.count() == 1


@pytest.mark.parametrize("message_type", ["TestMessageResponse", "FlexRequestResponse"])
def test_M12_responses_are_never_answered(agr: Peer, message_type: str) -> None:
    data = (
        {}
        if message_type == "TestMessageResponse"
        else {"Result": "Accepted", "FlexRequestMessageID": str(uuid.uuid4())}
    )
    message = receive(agr, agr.xml(message_type, **data))
    drain(agr)
    message.refresh_from_db()
    assert message.state == "processed"
    assert not OutboundMessage.objects.exists()


def test_M13_one_sender_in_order_of_receipt(agr: Peer) -> None:
    """Four drains at once, and the order is that of the receipts, with no message handled twice."""
    seen: list[str] = []

    def handle(incoming: Incoming) -> Outcome:
        seen.append(incoming.header.message_id)
        return Outcome()

    sent = [str(uuid.uuid4()) for _ in range(40)]
    for message_id in sent:
        receive(agr, agr.xml(MessageID=message_id))

    def work() -> None:
        try:
            drain(agr)
        finally:
            connection.close()

    with handled_by("TestMessage", handle):
        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(30)
        drain(agr)
    assert seen == sent
    assert OutboundMessage.objects.count() == 40


def test_M13_receipts_do_not_wait_for_the_handling(agr: Peer) -> None:
    """While a message is handled, more of the same sender are taken; they are handled by the same drain."""
    reached, go_on = threading.Event(), threading.Event()

    def handle(incoming: Incoming) -> Outcome:
        reached.set()
        assert go_on.wait(20)
        return Outcome()

    receive(agr, agr.xml())

    def work() -> None:
        try:
            drain(agr)
        finally:
            connection.close()

    with handled_by("TestMessage", handle):
        worker = threading.Thread(target=work)
        worker.start()
        assert reached.wait(20)
        receive(agr, agr.xml())
        assert drain(agr) == [], "another is at it"
        go_on.set()
        worker.join(20)
    assert set(InboundMessage.objects.values_list("state", flat=True)) == {"processed"}


def test_M14_poison_is_set_aside_and_the_next_go_on(agr: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "PAUSE", 0.01)
    poison = agr.xml()
    tries: list[str] = []

    def handle(incoming: Incoming) -> Outcome:
        if incoming.content == poison:
            tries.append("again")
            raise ZeroDivisionError("a handler's own mistake")
        return Outcome()

    with handled_by("TestMessage", handle):
        bad = receive(agr, poison)
        good = receive(agr, agr.xml())
        drain(agr)
        bad.refresh_from_db()
        good.refresh_from_db()
        assert (bad.state, bad.attempts, len(tries)) == ("set aside", 3, 3)
        assert bad.last_error == "ZeroDivisionError: a handler's own mistake"
        assert good.state == "processed"
        assert not OutboundMessage.objects.filter(in_reply_to=bad).exists()
    assert dead_letters.process_again(bad)
    drain(agr)
    bad.refresh_from_db()
    assert (bad.state, bad.result) == ("processed", "Accepted")


def fail_in_postgresql(sqlstate: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '{sqlstate}'; END $$")


@pytest.mark.parametrize("sqlstate", ["53200", "53400"])
def test_M14_a_message_that_always_exceeds_a_limit_is_set_aside(
    agr: Peer, monkeypatch: pytest.MonkeyPatch, sqlstate: str
) -> None:
    monkeypatch.setattr(dead_letters, "PAUSE", 0.01)
    with handled_by("AGRPortfolioQuery", lambda incoming: fail_in_postgresql(sqlstate)):
        bad = receive(agr, agr.xml("AGRPortfolioQuery", **QUERY))
        good = receive(agr, agr.xml())
        drain(agr)
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.state, bad.attempts, good.state) == ("set aside", 3, "processed")
    assert "lost" in bad.last_error


@pytest.mark.parametrize("sqlstate", ["40001", "23P01", "53100", "57P02"])
def test_M14_a_message_that_is_set_back_for_minutes_is_set_aside(
    agr: Peer, monkeypatch: pytest.MonkeyPatch, sqlstate: str
) -> None:
    """Each wake-up ends in a lost race or in trouble; it counts at most once a minute, here shortened."""
    monkeypatch.setattr(retry, "PATIENCE", 0.05)
    with handled_by("AGRPortfolioQuery", lambda incoming: fail_in_postgresql(sqlstate)):
        bad = receive(agr, agr.xml("AGRPortfolioQuery", **QUERY))
        good = receive(agr, agr.xml())
        for times in range(1, dead_letters.SETBACKS):
            drain(agr)
            bad.refresh_from_db()
            assert (bad.state, bad.attempts, bad.setbacks) == ("received", 0, times)
            assert "lost" in bad.last_error
            time.sleep(0.05)
        drain(agr)
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.state, good.state) == ("set aside", "processed")
    assert dead_letters.process_again(bad)
    drain(agr)
    bad.refresh_from_db()
    assert (bad.state, bad.setbacks) == ("processed", 0)


@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "23P01"])
def test_a_storm_of_lost_races_is_no_failure_of_the_message(agr: Peer, sqlstate: str) -> None:
    lost: list[int] = []

    def handle(incoming: Incoming) -> Outcome:
        if len(lost) < 12:
            lost.append(1)
            Participant.objects.create(role="DSO", domain="half.example")
            fail_in_postgresql(sqlstate)
        return Outcome()

    with handled_by("TestMessage", handle):
        assert exchange(agr, agr.xml()).result == "Accepted"
    message = InboundMessage.objects.get()
    assert (message.attempts, message.last_error, len(lost)) == (0, "", 12)
    assert not Participant.objects.filter(domain="half.example").exists()


@pytest.mark.parametrize("sqlstate", ["57P01", "53300", "08006"])
def test_a_database_in_trouble_is_no_failure_of_the_message(agr: Peer, sqlstate: str) -> None:
    """The message keeps waiting, for the sweep to wake its inbox."""

    def handle(incoming: Incoming) -> Outcome:
        fail_in_postgresql(sqlstate)
        return Outcome()

    message = receive(agr, agr.xml())
    with handled_by("TestMessage", handle):
        for _ in range(dead_letters.SETBACKS + 3):
            drain(agr)
    message.refresh_from_db()
    assert (message.state, message.attempts, message.setbacks) == ("received", 0, 1), "within one minute"
    drain(agr)
    message.refresh_from_db()
    assert message.state == "processed"


def test_retried_refuses_to_be_nested() -> None:
    with transaction.atomic(), pytest.raises(RuntimeError):
        retry.retried(lambda: None)


def test_retried_raises_what_is_no_lost_race() -> None:
    runs: list[int] = []

    def run() -> None:
        runs.append(1)
        fail_in_postgresql("57014")

    with pytest.raises(OperationalError):
        retry.retried(run)
    assert runs == [1]


def test_a_receipt_that_commits_late_is_found_by_the_drain_under_way(agr: Peer) -> None:
    """Its id is lower than those of messages handled before its commit."""
    first = receive(agr, agr.xml())
    late_content = agr.xml()
    inserted, commit = threading.Event(), threading.Event()

    def insert_and_wait() -> None:
        try:
            with transaction.atomic():
                receive(agr, late_content)
                inserted.set()
                assert commit.wait(20)
        finally:
            connection.close()

    late = threading.Thread(target=insert_and_wait)
    late.start()
    assert inserted.wait(20)
    last = receive(agr, agr.xml())
    drain(agr)
    commit.set()
    late.join(20)
    wait_for("the late receipt", lambda: InboundMessage.objects.count() == 3)
    drain(agr)
    message = InboundMessage.objects.exclude(pk__in=[first.pk, last.pk]).get()
    assert first.pk < message.pk < last.pk
    assert message.state == "processed"
    assert Sender.objects.count() == 1


def test_an_answer_is_woken_while_the_next_message_is_still_being_handled(agr: Peer) -> None:
    """The second answer's wake-up is put off, to serve for more; the third message takes until it has come."""
    wakes: list[tuple[str, str]] = []
    handled: list[int] = []

    def handle(incoming: Incoming) -> Outcome:
        handled.append(incoming.inbound.pk)
        if len(handled) == 3:
            wait_for("the wake-up for the second answer", lambda: len(wakes) >= 2)
        return Outcome()

    with handled_by("TestMessage", handle):
        for _ in range(3):
            last = receive(agr, agr.xml())
        inbox_drain.drain(last.sender_id, wake=lambda role, domain: wakes.append((role, domain)))

    assert len(handled) == 3
    assert set(wakes) == {("AGR", agr.domain)}


def test_M14_a_message_that_waits_for_another_failed_one_loses_no_try(agr: Peer) -> None:
    """After the death of a worker, one of each sender failed before. One at a time is tried; the others only wait."""
    receive(agr, agr.xml())
    InboundMessage.objects.update(attempts=1)
    locked, release = threading.Event(), threading.Event()

    def try_another() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.FAILED_BEFORE])
                locked.set()
                release.wait(20)
        finally:
            connection.close()

    other = threading.Thread(target=try_another)
    other.start()
    assert locked.wait(20)
    try:
        for _ in range(dead_letters.TRIES + 1):
            drain(agr)
    finally:
        release.set()
        other.join()
    message = InboundMessage.objects.get()
    assert (message.state, message.attempts) == ("received", 1)
    drain(agr)
    message.refresh_from_db()
    assert (message.state, message.attempts) == ("processed", 2)
