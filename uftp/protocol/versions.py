"""The supported versions of UFTP and their differences (docs/protocol-support.md, "Versions")."""

import re
from dataclasses import dataclass
from functools import lru_cache

_SEMANTIC = re.compile(r"((?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*))\.(?:0|[1-9][0-9]{0,8})")

_REFERENCES_3X = {
    "AGRPortfolioUpdateResponse": "AGRPortfolioUpdateMessageID",
    "AGRPortfolioQueryResponse": "AGRPortfolioQueryMessageID",
    # The schema and both libraries use this name, although its value is the MessageID of the request.
    "DSOPortfolioUpdateResponse": "DSOPortfolioUpdateResponseMessageID",
    "DSOPortfolioQueryResponse": "DSOPortfolioQueryMessageID",
    "FlexReservationUpdateResponse": "FlexReservationUpdateMessageID",
    "FlexRequestResponse": "FlexRequestMessageID",
    "FlexOfferResponse": "FlexOfferMessageID",
    "FlexOfferRevocationResponse": "FlexOfferRevocationMessageID",
    "FlexOrderResponse": "FlexOrderMessageID",
    "FlexSettlementResponse": "FlexSettlementMessageID",
    "D-PrognosisResponse": "D-PrognosisMessageID",
    "MeteringResponse": "MeteringMessageID",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of UFTP: its name, the number in its path, and the form of its messages."""

    name: str
    major: int
    schema: str
    """File name of our schema for messages that are posted to the path of this major version."""
    strict_schema: str
    """File name of the schema for messages that are passed on. It allows no more than the specification's does."""
    references: dict[str, str] | None
    """Response type to the attribute with the request's MessageID. None: it is always `ReferenceMessageID`."""
    test_response_has_result: bool
    """Whether a TestMessageResponse has Result and a reference, as all other responses have."""

    def reference_attribute(self, message_type: str) -> str:
        """Return the attribute of the response `message_type` that has the request's MessageID.

        Raises:
            KeyError: The response has no such attribute in this version.
        """
        if self.references is None:
            return "ReferenceMessageID"
        return self.references[message_type]


SUPPORTED: dict[str, Version] = {
    version.name: version
    for version in (
        Version(
            name="3.0.0",
            major=3,
            schema="uftp-3.xsd",
            strict_schema="uftp-3-strict.xsd",
            references=_REFERENCES_3X,
            test_response_has_result=False,
        ),
        Version(
            name="3.1.0",
            major=3,
            schema="uftp-3.xsd",
            strict_schema="uftp-3-strict.xsd",
            references=_REFERENCES_3X,
            test_response_has_result=False,
        ),
        Version(
            name="4.0.0",
            major=4,
            schema="uftp-4.0.0.xsd",
            strict_schema="uftp-4.0.0-strict.xsd",
            references=None,
            test_response_has_result=True,
        ),
    )
}
MAJORS = frozenset(version.major for version in SUPPORTED.values())
PATHS = {f"/shapeshifter/api/v{major}/message": major for major in sorted(MAJORS)}
"""Path of the message endpoint to its major version. There is no trailing slash and no redirect."""


def path_of(major: int) -> str:
    """Return the path of the message endpoint for a major version that is supported."""
    return next(path for path, number in PATHS.items() if number == major)


@lru_cache(maxsize=64)
def supported(version_text: str) -> Version | None:
    """Return the supported version of a message, or None. A patch is read as its minor: `3.1.7` as `3.1.0`.

    By semantic versioning a patch changes neither what a message may hold nor what it means. Numbers have no leading
    zeros.
    """
    written = _SEMANTIC.fullmatch(version_text)
    return SUPPORTED.get(f"{written[1]}.0") if written else None


def major_of(version_text: str) -> int:
    """Return the major number of a supported version.

    Raises:
        KeyError: The version is not supported.
    """
    version = supported(version_text)
    if version is None:
        raise KeyError(version_text)
    return version.major


@lru_cache(maxsize=64)
def for_major(major: int, version_text: str) -> Version:
    """Return the version in which to answer a message that was posted to the path of `major`.

    It is the message's own version, without its patch, if that is supported under this path. Otherwise it is the
    highest supported version below, or else the lowest one above.

    Args:
        major: The number in the path.
        version_text: The Version of the message.

    Raises:
        KeyError: `major` has no supported version.
    """
    candidates = sorted((v for v in SUPPORTED.values() if v.major == major), key=lambda v: _numbers(v.name))
    if not candidates:
        raise KeyError(major)
    requested = _numbers(version_text)
    not_above = [version for version in candidates if _numbers(version.name) <= requested]
    return not_above[-1] if not_above else candidates[0]


def _numbers(version_text: str) -> tuple[tuple[int, str], ...]:
    """Return the numbers of a version in a comparable form. They may have any number of digits."""
    parts = (part.lstrip("0") for part in version_text.split("."))
    return tuple((len(part), part) for part in parts)
