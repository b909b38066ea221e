"""What differs between the versions of UFTP, in one table (docs/protocol-support.md, "Versions")."""

from dataclasses import dataclass
from functools import lru_cache

_REFERENCES_3X = {
    "AGRPortfolioUpdateResponse": "AGRPortfolioUpdateMessageID",
    "AGRPortfolioQueryResponse": "AGRPortfolioQueryMessageID",
    # The schema's own name, and both libraries': its value is the request's MessageID all the same.
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
    """One version of UFTP: its name, the number in its path, and how its messages are written."""

    name: str
    major: int
    schema: str
    """File name of our schema for what arrives on this major version's path."""
    references: dict[str, str] | None
    """Response type to the attribute naming the request; None: `ReferenceMessageID` throughout."""
    test_response_has_result: bool
    """Whether a TestMessageResponse carries Result and reference, as every other response does."""

    def reference_attribute(self, message_type: str) -> str:
        """The attribute of the response `message_type` that holds the request's MessageID.

        Raises KeyError where `message_type` has none in this version.
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
            references=_REFERENCES_3X,
            test_response_has_result=False,
        ),
        Version(
            name="3.1.0",
            major=3,
            schema="uftp-3.xsd",
            references=_REFERENCES_3X,
            test_response_has_result=False,
        ),
        Version(
            name="4.0.0",
            major=4,
            schema="uftp-4.0.0.xsd",
            references=None,
            test_response_has_result=True,
        ),
    )
}
MAJORS = frozenset(version.major for version in SUPPORTED.values())
PATHS = {f"/shapeshifter/api/v{major}/message": major for major in sorted(MAJORS)}
"""The major version by the path that its messages are posted to: no trailing slash, and never a redirect."""


@lru_cache(maxsize=64)
def for_major(major: int, version_text: str) -> Version:
    """The supported version of path number `major` in which to answer a message of Version `version_text`.

    That version itself, if it is supported under this path; else the highest supported one not above it, else
    the lowest one above it. Raises KeyError for a `major` without any supported version.
    """
    candidates = sorted((v for v in SUPPORTED.values() if v.major == major), key=lambda v: _numbers(v.name))
    if not candidates:
        raise KeyError(major)
    asked = _numbers(version_text)
    not_above = [version for version in candidates if _numbers(version.name) <= asked]
    return not_above[-1] if not_above else candidates[0]


def _numbers(version_text: str) -> tuple[tuple[int, str], ...]:
    """A version's numbers, comparable: any length of digits, without turning them into integers."""
    parts = (part.lstrip("0") for part in version_text.split("."))
    return tuple((len(part), part) for part in parts)
