"""A process killed anywhere on a message's way: after a restart, one effect and one answer, and nothing lost."""

import http.client
import time
from pathlib import Path

import pytest
from django.db import connection

from participants.models import Participant
from registry.models import Representation
from tests.faults.launcher import WEB_POINTS, WORKER_POINTS
from tests.support.eans import ean
from tests.support.peer import Peer, post
from tests.support.polling import wait_for
from tests.support.processes import Process, Web, serving, working
from tests.support.receiver import Receiver, receiving
from uftp.models import InboundMessage, OutboundMessage
from uftp.processing.dead_letters import WORKER_DIED

pytestmark = pytest.mark.django_db(transaction=True)

WITHIN = 90.0
ENDED = (http.client.HTTPException, ConnectionError)
MODULE = "tests.faults.settings"
CONNECTIONS = [ean(n) for n in range(5)]


@pytest.fixture
def once(tmp_path: Path) -> Path:
    marker = tmp_path / "once"
    marker.touch()
    return marker


@pytest.mark.parametrize("point", WORKER_POINTS)
def test_worker_killed(point: str, once: Path) -> None:
    agr = Peer("AGR")
    with receiving() as receiver, serving("--workers", "1") as web:
        participant = agr.register(receiver.url)
        content = agr.update(CONNECTIONS)
        with working(settings_module=MODULE, FAULT_POINT=point, FAULT_ONCE=str(once)) as worker:
            assert agr.post(web.port, content).status == 200
            wait_for(f"the end at: {point}", lambda: worker.ended and not once.exists())
        killed = time.monotonic()
        with working() as worker:
            assert_done_once(agr, participant, receiver, content, worker)
            print(f"\nworker, {point}: whole {time.monotonic() - killed:.1f} s after the kill")


@pytest.mark.parametrize("point", WEB_POINTS)
def test_web_killed(point: str, once: Path) -> None:
    """The participant sees no 200 and posts the same message again."""
    agr = Peer("AGR")
    with receiving() as receiver, working() as worker:
        participant = agr.register(receiver.url)
        content = agr.update(CONNECTIONS)
        with serving(
            "--workers", "1", settings_module=MODULE, FAULT_POINT=point, FAULT_ONCE=str(once)
        ) as web:
            with pytest.raises(ENDED):
                agr.post(web.port, content)
            wait_for(f"the end at: {point}", lambda: web.ended and not once.exists())
        killed = time.monotonic()
        with serving("--workers", "1") as web:
            assert agr.post(web.port, content).status == 200
            assert_done_once(agr, participant, receiver, content, worker)
            print(f"\nweb, {point}: whole {time.monotonic() - killed:.1f} s after the kill")


def test_web_killed_and_never_asked_again(once: Path) -> None:
    """What was committed is handled, also where the participant does not come back."""
    point = "receipt committed, before the wake-up"
    agr = Peer("AGR")
    with receiving() as receiver, working() as worker:
        participant = agr.register(receiver.url)
        content = agr.update(CONNECTIONS)
        fault = {"settings_module": MODULE, "FAULT_POINT": point, "FAULT_ONCE": str(once)}
        with serving("--workers", "1", **fault) as web, pytest.raises(ENDED):
            agr.post(web.port, content)
        assert_done_once(agr, participant, receiver, content, worker)


def test_kill_is_a_kill(once: Path) -> None:
    """The launcher ends a web process in the middle of a request and no other one."""
    agr = Peer("AGR")
    with receiving() as receiver:
        agr.register(receiver.url)
        web = Web(
            "--workers",
            "1",
            settings_module=MODULE,
            FAULT_POINT="receipt committed, before the wake-up",
            FAULT_ONCE=str(once),
        )
        try:
            assert post(web.port, b"<x/>").status == 400
            assert not web.ended
        finally:
            web.kill()


def test_a_message_that_ends_its_worker_each_time_is_set_aside_and_the_next_ones_go_on() -> None:
    """M14, without a chance to count afterwards. Who dies after the first time has said before what it was at."""
    agr = Peer("AGR")
    deaths = 0
    with receiving() as receiver, serving("--workers", "1") as web:
        agr.register(receiver.url)
        fatal, harmless = agr.update(CONNECTIONS), agr.xml()
        for content in (fatal, harmless):
            assert agr.post(web.port, content).status == 200
        deadly = InboundMessage.objects.earliest("id")
        fault = {"FAULT_POINT": "message taken", "FAULT_MESSAGE": deadly.message_id}
        while receiver.posts == [] and deaths < 10:
            with working(settings_module=MODULE, **fault) as worker:
                wait_for("an end or an answer", lambda: worker.ended or receiver.posts, WITHIN)
                deaths += worker.ended
            let_heartbeats_grow_old()
    deadly.refresh_from_db()
    assert (deadly.state, deadly.attempts, deaths) == ("set aside", 3, 3)
    assert deadly.last_error == WORKER_DIED
    assert InboundMessage.objects.get(state="processed").attempts == 0


def let_heartbeats_grow_old() -> None:
    """As if half a minute had gone by since the workers died."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")


def assert_done_once(
    agr: Peer, participant: Participant, receiver: Receiver, content: bytes, worker: Process
) -> None:
    """One effect, one answer, in one identity and the same bytes however often it was posted; and at rest."""

    def at_rest() -> bool:
        return (
            InboundMessage.objects.filter(state="processed").count() == 1
            and OutboundMessage.objects.filter(state="delivered").count() == 1
        )

    try:
        wait_for("the message handled and its answer delivered", at_rest, WITHIN)
    except AssertionError as late:
        raise AssertionError(f"{late}\n{worker.log}") from None
    assert InboundMessage.objects.get().content == content
    answer = OutboundMessage.objects.get()
    assert answer.result == "Accepted", answer.reason
    assert Representation.objects.filter(agr=participant).count() == len(CONNECTIONS)
    assert 1 <= len(receiver.posts) <= 2
    assert {posted.sealed for posted in receiver.posts} == {bytes(answer.sealed)}
    assert {posted.attributes["MessageID"] for posted in receiver.posts} == {answer.message_id}
