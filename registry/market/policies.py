"""The policies: choices that the rules leave to the operator (docs/rules.md).

A policy applies to messages that are received after it was set. What is recorded already is not judged again.
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
STAFF_DECIDE, COUNT = "staff decide", "count"
FORWARD = "pass on"
WARN = "warn"
PERIOD_ACTIONS = (REJECT, ADJUST, ACCEPT)

_IN_FORCE = """
-- The latest setting of each policy up to a moment, or at all.
SELECT coalesce(array_agg(name), '{}'), coalesce(array_agg(value), '{}')
FROM (
    SELECT DISTINCT ON (name) name, value FROM registry_policysetting
    WHERE set_at <= coalesce(%(at)s::timestamptz, 'infinity')
    ORDER BY name, set_at DESC, id DESC
) AS latest
"""


@dataclass(frozen=True)
class PolicyDefinition:
    """One policy.

    Attributes:
        name: The name in the rules, in commands and on screens.
        description: The situation that the policy is for.
        values: The values to choose from; empty for a policy whose value is a whole number.
        default: The value while nobody has set one.
    """

    name: str
    description: str
    values: tuple[str, ...]
    default: str


POLICIES = {
    policy.name: policy
    for policy in (
        PolicyDefinition(
            "representation conflicts",
            "An AGR claims days of a connection that another AGR holds",
            (HOLD, REJECT, NEWEST_WINS),
            HOLD,
        ),
        PolicyDefinition(
            "membership conflicts",
            "A DSO claims days of a connection that belongs to another DSO's congestion point",
            (ALLOW, HOLD, REJECT),
            HOLD,
        ),
        PolicyDefinition(
            "omitted connections",
            "An update does not name connections that its sender registered earlier",
            (KEEP, END),
            KEEP,
        ),
        PolicyDefinition(
            "disclosure",
            "What a DSO sees of the connections behind its congestion point",
            (PER_CONNECTION, COUNTS),
            PER_CONNECTION,
        ),
        PolicyDefinition(
            "late rejections",
            "An AGR rejects a reservation update more than an hour after its deadline",
            (STAFF_DECIDE, COUNT),
            STAFF_DECIDE,
        ),
        PolicyDefinition(
            "updates for AGRs that may not act",
            "A DSO addresses a reservation update to an AGR that may not act",
            (FORWARD, REJECT),
            FORWARD,
        ),
        PolicyDefinition(
            "check digits",
            "An EAN of 18 digits whose last digit is not the check digit of the others",
            (WARN, ACCEPT),
            WARN,
        ),
        PolicyDefinition(
            "P1", "EndPeriod before StartPeriod, and nothing to withdraw", PERIOD_ACTIONS, REJECT
        ),
        PolicyDefinition("P2", "EndPeriod long in the past", PERIOD_ACTIONS, ACCEPT),
        PolicyDefinition("P3", "A connection ends after its congestion point", PERIOD_ACTIONS, ADJUST),
        PolicyDefinition("P4", "A connection starts before its congestion point", PERIOD_ACTIONS, ADJUST),
        PolicyDefinition(
            "P5", "A connection's period lies outside its congestion point's", PERIOD_ACTIONS, REJECT
        ),
        PolicyDefinition(
            "P6", "The same item twice in one message, with overlapping periods", PERIOD_ACTIONS, ADJUST
        ),
        PolicyDefinition("P7", "The sender holds a separate, later block of days", PERIOD_ACTIONS, ADJUST),
        PolicyDefinition("P2 days", "How many days in the past is long", (), "30"),
    )
}


class UnknownPolicy(ValueError):
    """No policy has that name, or the policy does not take that value.

    The message lists the policies, or the values of the policy.
    """


@dataclass(frozen=True)
class Policies:
    """The values of all policies at one moment; `policies["P3"]` is a value of `POLICIES["P3"]`."""

    values: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    @property
    def long_past_days(self) -> int:
        """Return how many days in the past an EndPeriod may lie before it is irregular (docs/rules.md P2)."""
        return int(self.values["P2 days"])


def in_force(at: datetime | None = None) -> Policies:
    """Return the policies in force at a moment (docs/rules.md C10).

    Args:
        at: An aware moment, or None for the present.
    """
    names, values = sql.fetch(_IN_FORCE, {"at": at}) or ([], [])
    rows = dict(zip(names, values, strict=True))
    return Policies({name: rows.get(name, policy.default) for name, policy in POLICIES.items()})


def parse_setting(name: str, value: str) -> tuple[str, str]:
    """Return the name and the value of a policy as they are stored.

    Args:
        name: The policy's name, in any case, with blanks, hyphens or underscores.
        value: Its value, written in the same ways.

    Raises:
        UnknownPolicy: No policy has the name, or the policy does not take the value.
    """
    plain_names = {_plain(known): known for known in POLICIES}
    if _plain(name) not in plain_names:
        raise UnknownPolicy(f"There is no policy {name!r}. The policies are: {', '.join(POLICIES)}.")
    policy = POLICIES[plain_names[_plain(name)]]
    if not policy.values:
        if not (value.isascii() and value.isdigit() and int(value) <= 36500):
            raise UnknownPolicy(f"{policy.name} takes a whole number of days up to 36500, not {value!r}.")
        return policy.name, str(int(value))
    if _plain(value) not in policy.values:
        raise UnknownPolicy(f"{policy.name} is one of: {', '.join(policy.values)}; not {value!r}.")
    return policy.name, _plain(value)


@transaction.atomic
def set_policy(
    name: str, value: str, *, actor: str, reason: str = "", now: datetime | None = None
) -> tuple[str, str]:
    """Set a policy from a moment on, with an audit entry if its value changes.

    Args:
        name: The policy's name, as `parse_setting` takes it.
        value: The new value, as `parse_setting` takes it.
        actor: Who sets it, for the audit entry.
        reason: Why, for the audit entry.
        now: The moment (aware) from which the value applies; None for the moment of the database.

    Returns:
        The name and the value as they are stored.

    Raises:
        UnknownPolicy: No policy has the name, or the policy does not take the value.
    """
    name, value = parse_setting(name, value)
    before = in_force()[name]
    PolicySetting.objects.create(name=name, value=value, **({"set_at": now} if now else {}))
    policy, _ = Policy.objects.update_or_create(name=name, defaults={"value": value})
    if before != value:
        audit.record(actor, "set policy", name, {"value": before}, {"value": value}, reason, about=policy)
    return name, value


def _plain(text: str) -> str:
    return " ".join(text.replace("-", " ").replace("_", " ").lower().split())
