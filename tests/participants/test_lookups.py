"""How long answers from outside are kept, how many, and how many threads ask at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from participants import lookups
from participants.discovery import MAX_KEYS, DnsDiscovery
from participants.lookups import (
    FAILURE_SECONDS,
    FOLLOWERS,
    FOUND_SECONDS,
    NOTHING_SECONDS,
    SLOTS,
    SLOTS_OF,
    STALE_SECONDS,
    Asker,
    DiscoveryFailed,
    LookUps,
)
from tests.participants.conftest import key_text, raw_key
from tests.support.polling import wait_for
from tests.support.zone import BROKEN, Zone, serving

REGISTERED, DISCOVERED, UNREGISTERED = Asker


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
    kept.answer(0, stranger, asker=UNREGISTERED)
    kept.answer(0, stranger, asker=UNREGISTERED)
    assert stranger.asked == 1

    for number in range(100):
        kept.answer(number, stranger, asker=UNREGISTERED)
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
def asking(
    kept: LookUps, count: int, *, asker: Asker, zone: str | None = None
) -> Iterator[Callable[[], None]]:
    """So many threads that ask, and get no answer until the function given is called."""
    release, asked = threading.Event(), []

    def ask() -> tuple[str, float]:
        asked.append(None)
        release.wait(20)
        return "late", 300.0

    threads = [
        threading.Thread(target=lambda n=n: kept.answer((asker, n), ask, asker=asker, zone=zone))  # type: ignore[misc]
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
    with asking(kept, SLOTS, asker=REGISTERED) as finish:
        for asker in Asker:
            with pytest.raises(DiscoveryFailed, match="too many other look-ups"):
                kept.answer("q", source, asker=asker)
        assert source.asked == 0
        finish()
        assert kept.answer("q", source, patience=20.0) == "an answer"


def test_strangers_leave_slots_for_registered_participants(kept: LookUps) -> None:
    with asking(kept, SLOTS_OF[UNREGISTERED], asker=UNREGISTERED):
        with pytest.raises(DiscoveryFailed, match="too many other look-ups"):
            kept.answer("q", Source(), asker=UNREGISTERED)

        assert kept.answer("q", Source()) == "an answer"
    assert kept.answer("another", Source(), asker=UNREGISTERED) == "an answer"


def test_that_too_many_ask_is_not_kept(kept: LookUps) -> None:
    with asking(kept, SLOTS, asker=REGISTERED), pytest.raises(DiscoveryFailed):
        kept.answer("q", Source())

    assert kept.answer("q", Source()) == "an answer"


def test_one_name_of_a_zone_is_asked_for_at_a_time(kept: LookUps) -> None:
    """Its owner has any number of names, and its name server may be silent."""
    with asking(kept, 1, asker=DISCOVERED, zone="attack.example") as finish:
        with pytest.raises(DiscoveryFailed, match="too many other look-ups"):
            kept.answer("q", Source(), asker=DISCOVERED, zone="attack.example")

        assert kept.answer("honest", Source(), asker=DISCOVERED, zone="honest.example") == "an answer"
        finish()
        answer = kept.answer("q", Source(), asker=DISCOVERED, zone="attack.example", patience=20.0)
    assert answer == "an answer"


def test_what_strangers_ask_for_in_a_zone_leaves_its_participants_their_slot(kept: LookUps) -> None:
    with asking(kept, 1, asker=UNREGISTERED, zone="honest.example"):
        assert kept.answer("q", Source(), asker=DISCOVERED, zone="honest.example") == "an answer"


def test_participants_of_discovery_leave_slots_for_those_of_staff(kept: LookUps) -> None:
    with (
        asking(kept, SLOTS_OF[UNREGISTERED], asker=UNREGISTERED),
        asking(kept, SLOTS_OF[DISCOVERED], asker=DISCOVERED),
    ):
        with pytest.raises(DiscoveryFailed, match="too many other look-ups"):
            kept.answer("q", Source(), asker=DISCOVERED)

        assert kept.answer("q", Source()) == "an answer"


def test_the_same_question_is_asked_once_at_the_same_time(kept: LookUps) -> None:
    asked, answers, release = [], [], threading.Event()

    def ask() -> tuple[str, float]:
        asked.append(None)
        release.wait(20)
        return "late", 300.0

    def look_up() -> None:
        answers.append(kept.answer("q", ask, zone="agr.example"))

    threads = [threading.Thread(target=look_up) for _ in range(1 + FOLLOWERS)]
    for thread in threads:
        thread.start()
    try:
        wait_for("the others wait", lambda: kept._followers == FOLLOWERS)
        # No further thread waits: a sender that repeats its message holds no threads of others.
        with pytest.raises(DiscoveryFailed, match="too many other look-ups"):
            look_up()
        assert kept.answer("another", Source(), zone="other.example") == "an answer"
    finally:
        release.set()
        for thread in threads:
            thread.join(20)

    assert (len(asked), answers) == (1, ["late"] * (1 + FOLLOWERS))
    assert (kept._under_way, kept._followers) == ({}, 0)


def test_an_error_of_ours_ends_the_wait_of_those_who_share_the_question(kept: LookUps) -> None:
    with pytest.raises(ZeroDivisionError):
        kept.answer("q", lambda: (1 // 0, 1.0))

    assert kept.answer("q", Source()) == "an answer"


@pytest.mark.parametrize("asker", Asker)
def test_an_answer_is_used_while_it_cannot_be_renewed(kept: LookUps, clock: Clock, asker: Asker) -> None:
    source = Source(seconds=300.0)
    kept.answer("q", source, asker=asker)
    source.value = DiscoveryFailed("no answer")

    clock.now = 301.0
    for _ in range(3):
        assert kept.answer("q", source, asker=asker) == "an answer"
    assert source.asked == 2
    with asking(kept, SLOTS, asker=REGISTERED):
        clock.now = 300.0 + STALE_SECONDS - 1
        assert kept.answer("q", source, asker=asker) == "an answer"
    clock.now = 300.0 + STALE_SECONDS
    with pytest.raises(DiscoveryFailed, match="no answer"):
        kept.answer("q", source, asker=asker)


def test_a_withdrawn_answer_is_not_used_again(kept: LookUps, clock: Clock) -> None:
    source = Source(seconds=300.0)
    kept.answer("q", source)
    clock.now, source.value = 300.0, ()
    assert kept.answer("q", source) == ()
    clock.now, source.value = 361.0, DiscoveryFailed("no answer")

    assert kept.answer("q", source) == ()


def test_a_failure_about_a_stranger_leaves_its_answer_too(kept: LookUps, clock: Clock) -> None:
    source = Source(seconds=300.0)
    kept.answer("q", source, asker=UNREGISTERED)
    clock.now, source.value = 31.0, DiscoveryFailed("no answer")
    with pytest.raises(DiscoveryFailed, match="no answer"):
        kept.answer("q", source, asker=UNREGISTERED, newer_than=30.0)

    assert kept.answer("q", source, asker=UNREGISTERED) == "an answer"


def test_the_failures_that_are_kept_are_limited(kept: LookUps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "MAX_FAILURES", 3)
    for number in range(100):
        with pytest.raises(DiscoveryFailed):
            kept.answer(number, Source(DiscoveryFailed("no answer")))

    assert len(kept._failures) == 3


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
