"""Wake-ups: the first at once, of many the rest together, and none lost."""

from __future__ import annotations

import pytest

from tests.support.polling import wait_for
from uftp.wakeups import debounce
from uftp.wakeups.debounce import Sparing

EVERY = 0.05


@pytest.fixture(autouse=True)
def _sparing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debounce, "EVERY", EVERY)


def test_the_first_is_made_at_once() -> None:
    woken: list[str] = []
    Sparing(woken.append)("one")
    assert woken == ["one"]


def test_many_are_made_together_and_the_last_is_not_lost() -> None:
    woken: list[str] = []
    wake = Sparing(woken.append)
    for _ in range(100):
        wake("one")
    asked = len(woken)
    wait_for("the one that is owed", lambda: len(woken) > asked)
    assert len(woken) < 10


def test_others_do_not_wait_for_one() -> None:
    woken: list[str] = []
    wake = Sparing(woken.append)
    wake("one")
    wake("another")
    assert woken == ["one", "another"]
