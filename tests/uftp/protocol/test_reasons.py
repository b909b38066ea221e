"""The words of a rejection (docs/protocol-support.md, "Reasons")."""

import pytest

from uftp.protocol.reasons import Reason, join, named, warning


@pytest.mark.parametrize(
    ("count", "ending"),
    [(1, "a0"), (20, "a18, a19"), (21, "a18, a19 and 1 more"), (1000, "a18, a19 and 980 more")],
)
def test_twenty_things_are_named_and_the_rest_counted(count: int, ending: str) -> None:
    text = named(Reason.PERIOD, [f"a{number}" for number in range(count)], "ends before it starts")
    assert text.startswith("Period out of bounds: a0")
    assert text.endswith(f"{ending} ends before it starts")


def test_a_reason_stands_alone_where_there_is_nothing_to_name() -> None:
    assert named(Reason.NO_CONNECTIONS, []) == "No connections available"
    assert named(Reason.INVALID_MESSAGE, [], "version 9.9.9") == "Invalid Message: version 9.9.9"


def test_several_reasons_are_joined_each_once() -> None:
    joined = join([Reason.MISMATCH_SENDER, Reason.TIME_ZONE, Reason.MISMATCH_SENDER])
    assert joined == "Mismatch SenderDomain; TimeZone rejected"
    assert warning(["a", "b"]) == "Warning: a; b"
