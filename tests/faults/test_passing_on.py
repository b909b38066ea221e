"""A worker killed anywhere while a reservation update is passed on: it is passed on, or undone, exactly once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from registry.market.market import market, today_at
from reservations.models import ReservationUpdate
from tests.faults.launcher import PASSING_POINTS
from tests.faults.test_sigkill import MODULE, WITHIN
from tests.reservations.dsl import Parties, a_contract, participant, some_parties, states, update_xml
from tests.support.polling import wait_for
from tests.support.processes import Process, serving, working
from tests.support.receiver import Receiver, Reply, receiving
from uftp.models import InboundMessage, OutboundMessage

pytestmark = pytest.mark.django_db(transaction=True)

REFUSED: Reply = (403, {}, b"not from here")


@dataclass
class Scene:
    """A DSO and an AGR under contract, and what comes to each."""

    parties: Parties
    at_dso: Receiver
    at_agr: Receiver
    period: date


@pytest.fixture
def once(tmp_path: Path) -> Path:
    marker = tmp_path / "once"
    marker.touch()
    return marker


@pytest.fixture
def scene() -> Iterator[Scene]:
    """The answers to what the two published are taken for delivered."""
    with receiving() as at_dso, receiving() as at_agr:
        parties = some_parties(endpoint=at_agr.url)
        a_contract(parties.dso, parties.agr)
        dso = participant(parties.dso)
        dso.endpoint = at_dso.url
        dso.save()
        OutboundMessage.objects.update(state="delivered", next_attempt_at=None)
        period = today_at(dso.created_at, market().time_zone) + timedelta(days=10)
        yield Scene(parties, at_dso, at_agr, period)


@contextmanager
def killed_at(point: str, once: Path, scene: Scene) -> Iterator[Process]:
    """The update is posted, its worker killed at `point`, and another one started."""
    content = update_xml(scene.parties.dso, scene.parties.agr.domain, (1, 4, 0), period=scene.period)
    with serving("--workers", "1") as web:
        with working(settings_module=MODULE, FAULT_POINT=point, FAULT_ONCE=str(once)) as worker:
            assert scene.parties.dso.post(web.port, content).status == 200
            wait_for(f"the end at: {point}\n{worker.log}", lambda: worker.ended and not once.exists())
        with working() as worker:
            yield worker


def at_rest() -> bool:
    return not (
        InboundMessage.objects.filter(state="received").exists()
        or OutboundMessage.objects.filter(state="waiting").exists()
    )


@pytest.mark.parametrize("point", PASSING_POINTS)
def test_a_worker_killed_while_passing_on(point: str, once: Path, scene: Scene) -> None:
    with killed_at(point, once, scene) as worker:
        wait_for(f"everything at rest after: {point}\n{worker.log}", at_rest, WITHIN)
    update = ReservationUpdate.objects.get()
    assert states(update) == [("received", "message"), ("passed on", "delivery")]
    passing = OutboundMessage.objects.get(passes_on=update.message)
    assert passing.state == "delivered"
    assert 1 <= len(scene.at_agr.posts) <= 2
    assert {posted.sealed for posted in scene.at_agr.posts} == {bytes(update.message.sealed)}
    assert (scene.at_dso.posts, list(update.message.replies.all())) == ([], [])


@pytest.mark.parametrize("point", ["app told, before the commit", "attempt recorded"])
def test_a_worker_killed_while_the_update_is_undone(point: str, once: Path, scene: Scene) -> None:
    """The AGR refuses it: one answer to the DSO, in one identity."""
    scene.at_agr.reply = lambda posted, before: REFUSED
    with killed_at(point, once, scene) as worker:
        wait_for(f"everything at rest after: {point}\n{worker.log}", at_rest, WITHIN)
    update = ReservationUpdate.objects.get()
    assert states(update) == [("received", "message"), ("undone", "delivery")]
    answer = update.message.replies.get()
    assert (answer.state, answer.result) == ("delivered", "Rejected")
    assert {posted.attributes["MessageID"] for posted in scene.at_dso.posts} == {answer.message_id}
    assert OutboundMessage.objects.get(passes_on=update.message).state == "failed"
