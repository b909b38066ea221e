"""FlexReservationUpdate: read, and refused as long as this CRO keeps no contracts to check it against."""

from __future__ import annotations

from uftp import parsing
from uftp.handling import Incoming, Outcome, Rejection
from uftp.reasons import Reason, named


def flex_reservation_update(incoming: Incoming) -> Outcome:
    """Refuse the update: there is no contract here that it could be about. Raises UnusableValue for unusable values."""
    parsing.parse(incoming.content)
    raise Rejection([named(Reason.INVALID_MESSAGE, [], "this CRO keeps no flexibility contracts")])
