"""How long answers from outside are kept, how many, and how many threads ask at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from participants import lookups
from participants.discovery import MAX_KEYS, DnsDiscovery
from participants.lookups import (
    FAILURE_SECONDS,
    FOUND_SECONDS,
    NOTHING_SECONDS,
    SLOTS,
    SLOTS_FOR_UNREGISTERED,
    DiscoveryFailed,
    LookUps,
)
from tests.participants.conftest import key_text, raw_key
from tests.support.polling import wait_for
from tests.support.zone import BROKEN, Zone, serving


class Source:
    """What is asked, and how often it was. A text is an answer; an exception is raised."""

    def __init__(self, value: object = "an answer", seconds: float = 300.0) -> None:
        self.value, self.seconds, self.asked = value, seconds, 0

    def __call__(self) -> tuple[object, float]:
        self.asked += 1
        if isinstance(self.value, Exception):
            raise self.value
        return self.value, self.seconds


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(clock: Clock) -> LookUps:
    return LookUps(clock)


@pytest.mark.parametrize(
    ("source", "seconds"),
    [
        (Source(seconds=300.0), 300.0),
        (Source(seconds=0.0), FOUND_SECONDS[0]),
        (Source(seconds=2.0**31), FOUND_SECONDS[1]),
        (Source(value=(), seconds=300.0), NOTHING_SECONDS),
        (Source(value=None, seconds=0.0), NOTHING_SECONDS),
    ],
    ids=["its TTL", "no TTL", "a TTL of years", "no records", "no name"],
)
def test_an_answer_is_kept_for_its_ttl_within_limits(
    kept: LookUps, clock: Clock, source: Source, seconds: float
) -> None:
    for moment in (0.0, seconds - 0.1):
        clock.now = moment
        assert kept.answer("q", source) == source.value
    assert source.asked == 1

    clock.now = seconds
    kept.answer("q", source)

    assert source.asked == 2


def test_a_failure_is_kept_briefly(kept: LookUps, clock: Clock) -> None:
    source = Source(DiscoveryFailed("no answer"))
    for moment in (0.0, FAILURE_SECONDS - 0.1):
        clock.now = moment
        with pytest.raises(DiscoveryFailed, match="no answer"):
            kept.answer("q", source)
    assert source.asked == 1

    clock.now, source.value = FAILURE_SECONDS, "an answer"

    assert kept.answer("q", source) == "an answer"


def test_an_answer_that_is_too_old_for_the_caller_is_asked_for_again(kept: LookUps, clock: Clock) -> None:
    source = Source()
    kept.answer("q", source)
    clock.now, source.value = 31.0, "a newer answer"

    assert kept.answer("q", source, newer_than=60.0) == "an answer"
    assert kept.answer("q", source, newer_than=30.0) == "a newer answer"
    assert kept.answer("q", source) == "a newer answer"


def test_a_failure_leaves_the_answer_that_is_kept(kept: LookUps, clock: Clock) -> None:
    """A forged signature makes us ask again; the name server may be down then."""
    source = Source(seconds=300.0)
    kept.answer("q", source)
    clock.now, source.value = 31.0, DiscoveryFailed("no answer")

    for _ in range(3):
        with pytest.raises(DiscoveryFailed, match="no answer"):
            kept.answer("q", source, newer_than=30.0)
        assert kept.answer("q", source) == "an answer"
    assert source.asked == 2

    clock.now, source.value = 50.0, None
    assert kept.answer("q", source, newer_than=30.0) is None
    assert kept.answer("q", source) is None


def test_no_answer_about_a_stranger_displaces_one_about_a_registered_participant(
    kept: LookUps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner of a domain can publish a key for any number of names."""
    monkeypatch.setattr(lookups, "MAX_FOUND", 2)
    monkeypatch.setattr(lookups, "MAX_OTHERS", 3)
    good, stranger = Source(), Source()
    kept.answer("good", good)
    kept.answer(0, stranger, unregistered=True)
    kept.answer(0, stranger, unregistered=True)
    assert stranger.asked == 1

    for number in range(100):
        kept.answer(number, stranger, unregistered=True)
    kept.answer("good", good)

    assert good.asked == 1
    assert (len(kept._found), len(kept._others)) == (1, 3)


def test_what_strangers_ask_for_in_vain_displaces_no_answer(
    kept: LookUps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "MAX_FOUND", 2)
    monkeypatch.setattr(lookups, "MAX_OTHERS", 2)
    good, nothing = Source(), Source(None)
    kept.answer("good", good)
    for number in range(100):
        kept.answer(number, nothing)
    kept.answer("good", good)
    assert good.asked == 1
    assert (len(kept._found), len(kept._others)) == (1, 2)

    for number in range(2):
        kept.answer(("another", number), Source())
    kept.answer("good", good)

    assert (good.asked, len(kept._found)) == (2, 2)


@contextmanager
def asking(kept: LookUps, count: int, *, unregistered: bool) -> Iterator[Callable[[], None]]:
    """So many threads that ask, and get no answer until the function given is called."""
    release, asked = threading.Event(), []

    def ask() -> tuple[str, float]:
        asked.append(None)
        release.wait(20)
        return "late", 300.0

    threads = [
        threading.Thread(target=lambda n=n: kept.answer((unregistered, n), ask, unregistered=unregistered))  # type: ignore[misc]
        for n in range(count)
    ]
    for thread in threads:
        thread.start()
    wait_for("all ask", lambda: len(asked) == count)
    try:
        yield release.set
    finally:
        release.set()
        for thread in threads:
            thread.join(20)


def test_few_threads_ask_at_once_and_the_others_do_not_wait(kept: LookUps) -> None:
    source = Source()
    with asking(kept, SLOTS, unregistered=False) as finish:
        for unregistered in (True, False):
            with pytest.raises(DiscoveryFailed, match="too many other look-ups"):
                kept.answer("q", source, unregistered=unregistered)
        assert source.asked == 0
        finish()
        assert kept.answer("q", source, patience=20.0) == "an answer"


def test_strangers_leave_slots_for_registered_participants(kept: LookUps) -> None:
    with asking(kept, SLOTS_FOR_UNREGISTERED, unregistered=True):
        with pytest.raises(DiscoveryFailed, match="too many other look-ups"):
            kept.answer("q", Source(), unregistered=True)

        assert kept.answer("q", Source()) == "an answer"
    assert kept.answer("another", Source(), unregistered=True) == "an answer"


def test_that_too_many_ask_is_not_kept(kept: LookUps) -> None:
    with asking(kept, SLOTS, unregistered=False), pytest.raises(DiscoveryFailed):
        kept.answer("q", Source())

    assert kept.answer("q", Source()) == "an answer"


@pytest.fixture
def zone() -> Iterator[Zone]:
    with serving() as zone:
        yield zone


def test_dns_is_asked_once_for_each_name_and_type(zone: Zone, kept: LookUps) -> None:
    source = DnsDiscovery(zone.resolver, kept)
    zone.txt("_agr._usef.agr.example", key_text(1))
    zone.cname("_http._agr._usef.agr.example", "uftp.agr.example.")
    zone.txt("_usef.agr.example", "3.1.0")
    zone.trouble["_agr._usef.broken.example"] = BROKEN

    for _ in range(3):
        assert source.keys("AGR", "agr.example") == (raw_key(1),)
        assert (
            source.endpoint("AGR", "agr.example", 3) == "https://uftp.agr.example/shapeshifter/api/v3/message"
        )
        assert (
            source.endpoint("AGR", "agr.example", 4) == "https://uftp.agr.example/shapeshifter/api/v4/message"
        )
        assert source.version("agr.example") == "3.1.0"
        assert source.keys("AGR", "nobody.example") == ()
        with pytest.raises(DiscoveryFailed, match="no TXT answer"):
            source.keys("AGR", "broken.example")

    names = [name for name in zone.asked if name != "_agr._usef.broken.example"]
    assert sorted(names) == sorted(
        [
            "_agr._usef.agr.example",
            "_http._agr._usef.agr.example",
            "_usef.agr.example",
            "_agr._usef.nobody.example",
        ]
    )


def test_the_ttl_of_the_record_counts(zone: Zone, kept: LookUps, clock: Clock) -> None:
    """The zone's records have 60 seconds."""
    source = DnsDiscovery(zone.resolver, kept)
    zone.txt("_agr._usef.agr.example", key_text(1))
    source.keys("AGR", "agr.example")
    zone.txt("_agr._usef.agr.example", key_text(2))

    clock.now = 59.0
    assert source.keys("AGR", "agr.example") == (raw_key(1),)
    clock.now = 61.0
    assert source.keys("AGR", "agr.example") == (raw_key(2),)


def test_a_name_with_very_many_keys_fails(zone: Zone) -> None:
    zone.txt("_agr._usef.agr.example", *(key_text(number) for number in range(1, MAX_KEYS + 2)))

    with pytest.raises(DiscoveryFailed, match=f"more than {MAX_KEYS} keys"):
        DnsDiscovery(zone.resolver).keys("AGR", "agr.example")
