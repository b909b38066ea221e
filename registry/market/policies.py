"""The choices that the rules leave to the operator, as rows that staff edit (docs/rules.md).

A policy applies to what is received after it was set: nothing recorded is judged again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from common import sql
from participants import audit
from registry.models import Policy, PolicySetting

REJECT, ADJUST, ACCEPT = "reject", "adjust", "accept"
HOLD, NEWEST_WINS, ALLOW = "hold", "newest wins", "allow"
KEEP, END = "keep", "end"
PER_CONNECTION, COUNTS = "per connection", "counts"
STRANGE = (REJECT, ADJUST, ACCEPT)

_IN_FORCE = """
-- The latest setting of each policy up to a moment, or of all.
SELECT coalesce(array_agg(name), '{}'), coalesce(array_agg(value), '{}')
FROM (
    SELECT DISTINCT ON (name) name, value FROM registry_policysetting
    WHERE set_at <= coalesce(%(at)s::timestamptz, 'infinity')
    ORDER BY name, set_at DESC, id DESC
) AS latest
"""


@dataclass(frozen=True)
class Choice:
    """One policy: its name, what it is about, the values it takes (none: a whole number), and its default."""

    name: str
    about: str
    values: tuple[str, ...]
    default: str


CHOICES = {
    choice.name: choice
    for choice in (
        Choice(
            "representation conflicts",
            "An AGR claims days of a connection that another AGR holds",
            (HOLD, REJECT, NEWEST_WINS),
            HOLD,
        ),
        Choice(
            "membership conflicts",
            "A DSO claims days of a connection that lies behind another DSO's congestion point",
            (ALLOW, HOLD, REJECT),
            HOLD,
        ),
        Choice(
            "omitted connections",
            "An update does not mention connections that its sender registered earlier",
            (KEEP, END),
            KEEP,
        ),
        Choice(
            "disclosure",
            "What a DSO is told of the connections behind its congestion point",
            (PER_CONNECTION, COUNTS),
            PER_CONNECTION,
        ),
        Choice("P1", "EndPeriod before StartPeriod, and nothing to withdraw", STRANGE, REJECT),
        Choice("P2", "EndPeriod long in the past", STRANGE, ACCEPT),
        Choice("P3", "A connection ends after its congestion point", STRANGE, ADJUST),
        Choice("P4", "A connection starts before its congestion point", STRANGE, ADJUST),
        Choice("P5", "A connection's period lies outside its congestion point's", STRANGE, REJECT),
        Choice("P6", "The same thing twice in one message, with overlapping periods", STRANGE, ADJUST),
        Choice("P7", "The sender holds a separate, later block of days", STRANGE, ADJUST),
        Choice("P2 days", "How many days in the past is long", (), "30"),
    )
}


class UnknownPolicy(ValueError):
    """No policy has that name, or it does not take that value; the message says what there is."""


@dataclass(frozen=True)
class Policies:
    """All policies as they stand; `policies["P3"]` is a value of `CHOICES["P3"]`."""

    values: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    @property
    def long_past_days(self) -> int:
        """From how many days in the past on an EndPeriod is strange (docs/rules.md P2)."""
        return int(self.values["P2 days"])


def in_force(at: datetime | None = None) -> Policies:
    """The policies as they were set at the moment `at` (aware), as they stand without it (docs/rules.md C10)."""
    names, values = sql.fetch(_IN_FORCE, {"at": at}) or ([], [])
    rows = dict(zip(names, values, strict=True))
    return Policies({name: rows.get(name, choice.default) for name, choice in CHOICES.items()})


def checked(name: str, value: str) -> tuple[str, str]:
    """The policy and value that are meant, hyphens, underscores and case aside; raises UnknownPolicy."""
    plain_names = {_plain(known): known for known in CHOICES}
    if _plain(name) not in plain_names:
        raise UnknownPolicy(f"There is no policy {name!r}. The policies are: {', '.join(CHOICES)}.")
    choice = CHOICES[plain_names[_plain(name)]]
    if not choice.values:
        if not (value.isascii() and value.isdigit() and int(value) <= 36500):
            raise UnknownPolicy(f"{choice.name} takes a whole number of days up to 36500, not {value!r}.")
        return choice.name, str(int(value))
    if _plain(value) not in choice.values:
        raise UnknownPolicy(f"{choice.name} is one of: {', '.join(choice.values)}; not {value!r}.")
    return choice.name, _plain(value)


@transaction.atomic
def set_policy(
    name: str, value: str, *, actor: str, reason: str = "", now: datetime | None = None
) -> tuple[str, str]:
    """Set a policy from `now` on (aware; the database's moment without it), on the record.

    Returns its name and value. Raises UnknownPolicy.
    """
    name, value = checked(name, value)
    before = in_force()[name]
    PolicySetting.objects.create(name=name, value=value, **({"set_at": now} if now else {}))
    Policy.objects.update_or_create(name=name, defaults={"value": value})
    if before != value:
        audit.note(actor, "set policy", name, {"value": before}, {"value": value}, reason)
    return name, value


def _plain(text: str) -> str:
    return " ".join(text.replace("-", " ").replace("_", " ").lower().split())
