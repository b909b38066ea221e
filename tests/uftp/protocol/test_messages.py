"""The table of versions, and the messages that carry it (docs/protocol-support.md, "Versions")."""

import re

import pytest

from uftp.protocol import messages
from uftp.protocol.versions import MAJORS, SUPPORTED, for_major, major_of, supported

REFERENCES = {
    "AGRPortfolioUpdateResponse": "AGRPortfolioUpdateMessageID",
    "AGRPortfolioQueryResponse": "AGRPortfolioQueryMessageID",
    "DSOPortfolioUpdateResponse": "DSOPortfolioUpdateResponseMessageID",
    "DSOPortfolioQueryResponse": "DSOPortfolioQueryMessageID",
    "FlexReservationUpdateResponse": "FlexReservationUpdateMessageID",
}


@pytest.mark.parametrize("message_type", REFERENCES)
def test_each_response_names_its_request_as_its_version_has_it(message_type: str) -> None:
    for version in ("3.0.0", "3.1.0"):
        assert SUPPORTED[version].reference_attribute(message_type) == REFERENCES[message_type]
    assert SUPPORTED["4.0.0"].reference_attribute(message_type) == "ReferenceMessageID"


def test_a_test_response_has_a_reference_in_the_next_version_only() -> None:
    for version in ("3.0.0", "3.1.0"):
        with pytest.raises(KeyError):
            SUPPORTED[version].reference_attribute("TestMessageResponse")
    assert SUPPORTED["4.0.0"].reference_attribute("TestMessageResponse") == "ReferenceMessageID"


@pytest.mark.parametrize(
    ("major", "requested", "answered"),
    [
        (3, "3.0.0", "3.0.0"),
        (3, "3.1.0", "3.1.0"),
        (3, "3.0.7", "3.0.0"),
        (3, "3.2.0", "3.1.0"),
        (3, "3.10.0", "3.1.0"),
        (3, "4.0.0", "3.1.0"),
        (3, "2.9.9", "3.0.0"),
        (3, "03.0.0", "3.0.0"),
        (3, "3.1.99999999999999999999", "3.1.0"),
        (3, "٣.١.٠", "3.1.0"),
        (3, "", "3.0.0"),
        (4, "4.0.0", "4.0.0"),
        (4, "3.1.0", "4.0.0"),
        (4, "5.0.0", "4.0.0"),
    ],
)
def test_a_version_is_answered_in_the_nearest_one_of_its_path(
    major: int, requested: str, answered: str
) -> None:
    assert for_major(major, requested).name == answered


@pytest.mark.parametrize(
    ("stated", "read_as"),
    [
        ("3.0.0", "3.0.0"),
        ("3.0.7", "3.0.0"),
        ("3.1.0", "3.1.0"),
        ("3.1.1", "3.1.0"),
        ("3.1.15", "3.1.0"),
        ("4.0.1", "4.0.0"),
        ("3.2.0", None),
        ("3.2.1", None),
        ("4.1.0", None),
        ("2.0.0", None),
        ("03.1.0", None),
        ("3.1.01", None),
        ("٣.١.٠", None),
    ],
)
def test_a_patch_is_read_as_its_minor(stated: str, read_as: str | None) -> None:
    version = supported(stated)
    assert (version and version.name) == read_as
    if version:
        assert for_major(version.major, stated) is version
        assert major_of(stated) == version.major
    else:
        with pytest.raises(KeyError):
            major_of(stated)


def test_there_is_no_answer_for_another_path() -> None:
    assert sorted(MAJORS) == [3, 4]
    with pytest.raises(KeyError):
        for_major(5, "5.0.0")


def test_an_answer_is_told_from_a_request() -> None:
    requests = messages.HANDLED_REQUESTS | messages.OTHER_REQUESTS
    assert not any(messages.is_response(name) for name in requests)
    assert all(messages.is_response(name) for name in messages.OTHER_RESPONSES)
    assert all(re.fullmatch(r"[A-Za-z-]+", name) for name in requests)
