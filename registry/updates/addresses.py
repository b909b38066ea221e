"""The rules about the entity addresses of an update (docs/rules.md D10, E1, E2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from common.check_digits import WRONG_SQL
from common.identifiers import ODD_ADDRESS_SQL
from registry.market.policies import WARN, Policies
from uftp.protocol.reasons import MAX_NAMED, Reason, named, of_odd_identifiers

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

    from registry.updates.period_rules import Findings

_EA1 = "starts_with(address, 'ea1.')"
_ODD = ODD_ADDRESS_SQL.format("address")
_REGISTERS = "(upper IS NULL OR upper > first)"

_WRONG_CHECK_DIGITS = f"""
wrong AS MATERIALIZED (
    {WRONG_SQL.format(table="staged_line", condition=f"%(checks_digits)s AND {_REGISTERS}")}
    UNION {WRONG_SQL.format(table="staged_point", condition=f"%(checks_digits)s AND {_REGISTERS}")}
)"""
_NAMED_WRONG = f"ARRAY(SELECT address FROM wrong ORDER BY 1 LIMIT {MAX_NAMED}), (SELECT count(*) FROM wrong)"

ADDRESSES = f"""
-- The market's zone; addresses under this CRO's own domain (D10); addresses that are not of the form of identifiers,
-- except what was registered before that rule and ends (E1); addresses with a wrong check digit, and their number (E2).
WITH {_WRONG_CHECK_DIGITS}
SELECT (SELECT time_zone FROM registry_market), ARRAY(
    SELECT address FROM staged_line WHERE {_EA1} AND address ~* %(own)s
    UNION SELECT address FROM staged_point WHERE {_EA1} AND address ~* %(own)s
    ORDER BY 1 LIMIT {MAX_NAMED + 1}
), ARRAY(
    SELECT address FROM staged_line WHERE {_ODD} AND {_REGISTERS}
    UNION SELECT address FROM staged_point s
    WHERE {_ODD} AND ({_REGISTERS} AND NOT ends OR NOT EXISTS (
        SELECT FROM registry_congestionpoint p WHERE p.dso_id = s.dso_id AND p.address = s.address
    ))
    ORDER BY 1 LIMIT {MAX_NAMED + 1}
), {_NAMED_WRONG}
"""

WRONG_CHECK_DIGITS = f"WITH {_WRONG_CHECK_DIGITS} SELECT {_NAMED_WRONG}"


def check_addresses(cursor: CursorWrapper, policies: Policies, findings: Findings) -> str | None:
    """Add the rejections and warnings about the staged addresses to the findings.

    Returns:
        The market's time zone, which the same query reads; None if no market is set.
    """
    cursor.execute(ADDRESSES, {"own": own_addresses(), **_parameters(policies)})
    zone: str | None
    zone, own, odd, wrong, wrong_count = cursor.fetchone()
    if own:
        findings.rejections.append(named(Reason.INVALID_MESSAGE, own, "lies under this CRO's own domain"))
    findings.rejections.extend(of_odd_identifiers(*odd))
    findings.warnings.extend(_check_digit_warning(wrong, wrong_count))
    return zone


def check_digit_warnings(cursor: CursorWrapper, policies: Policies) -> list[str]:
    """Return the warning about staged addresses with a wrong check digit, if there are any (docs/rules.md E2)."""
    cursor.execute(WRONG_CHECK_DIGITS, _parameters(policies))
    return _check_digit_warning(*cursor.fetchone())


def own_addresses() -> str:
    """Return a PostgreSQL regular expression for entity addresses under this CRO's own domain (docs/rules.md D10)."""
    own = r"\.".join(reversed(settings.CRO_DOMAIN.split(".")))
    return rf"^ea1\.\d{{4}}-\d{{2}}\.{own}[.:]"


def _parameters(policies: Policies) -> dict[str, bool]:
    return {"checks_digits": policies["check digits"] == WARN}


def _check_digit_warning(addresses: list[str], count: int) -> list[str]:
    return [named("Wrong check digit", addresses, total=count)] if count else []
