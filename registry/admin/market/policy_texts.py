"""Describe each policy, its choices and their consequences in words, with an example (docs/rules.md)."""

from dataclasses import dataclass

from registry.market.policies import (
    ACCEPT,
    ADJUST,
    ALLOW,
    COUNT,
    COUNTS,
    END,
    FORWARD,
    HOLD,
    KEEP,
    NEWEST_WINS,
    PER_CONNECTION,
    REJECT,
    STAFF_DECIDE,
    WARN,
)


@dataclass(frozen=True, slots=True)
class PolicyText:
    """A policy in words: what it is about, and an example.

    `choices` maps each value to its consequences in general and in the example.
    """

    title: str
    about: str
    example: str
    choices: dict[str, tuple[str, str]]


_HELD = (
    "The holder keeps the days. The claim is contested until the holder gives them up or staff settle the conflict. "
    "The update is answered Accepted, with a warning that names connection and days and never the other party."
)
_REJECTED = (
    "The whole message is rejected, so nothing of it is registered. The reason in the response is: "
    "“{reason}”."
)
_OUT_OF_BOUNDS = _REJECTED.format(reason="Period out of bounds")
_WARNED = "The update is answered Accepted, with a warning."

UPDATES = "What updates say"
RESERVATIONS = "Reservation updates"
PERIOD_RULES = "Irregular periods"

POLICY_TEXTS: dict[str, dict[str, PolicyText]] = {
    UPDATES: {
        "representation conflicts": PolicyText(
            "Two AGRs claim the same days of a connection",
            "An AGR claims days of a connection that another AGR holds.",
            "one.example has represented a connection since January. On 3 March two.example claims it from "
            "1 April on.",
            {
                HOLD: (
                    _HELD,
                    "one.example keeps the connection; a conflict about the days from 1 April on is open.",
                ),
                REJECT: (
                    _REJECTED.format(reason="Connection conflict"),
                    "one.example keeps the connection; two.example's whole update is rejected.",
                ),
                NEWEST_WINS: (
                    "The claimant gets the days from today on, and they are refused to the former holder. Days before "
                    "today are contested.",
                    "two.example represents it from 1 April on; nobody needs to decide.",
                ),
            },
        ),
        "membership conflicts": PolicyText(
            "Two DSOs claim the same connection",
            "A DSO claims days of a connection that lies behind another DSO's congestion point.",
            "A connection lies behind a congestion point of north.example. On 3 March south.example lists it "
            "behind one of its own, from 1 April on.",
            {
                ALLOW: (
                    "The days count for both DSOs.",
                    "From 1 April on it lies behind both congestion points.",
                ),
                HOLD: (_HELD, "It stays north.example's; a conflict about the days from 1 April on is open."),
                REJECT: (
                    _REJECTED.format(reason="Connection conflict"),
                    "It stays north.example's; south.example's whole update is rejected.",
                ),
            },
        ),
        "omitted connections": PolicyText(
            "Connections that an update omits",
            "An update does not name connections that its sender registered earlier.",
            "one.example represents the connections A, B and C. Its next update names A and B.",
            {
                KEEP: ("They stay as they are.", "C stays one.example's."),
                END: (
                    "Today is their last day. A DSO's end only behind congestion points of which the update lists "
                    "some connections. An update that lists none at all ends nothing.",
                    "C is one.example's up to and including today.",
                ),
            },
        ),
        "check digits": PolicyText(
            "An EAN with a wrong check digit",
            "The last digit of an EAN of 18 digits is not the check digit of the others: it may be mistyped.",
            "An AGR states ean.871685900012636544, where ean.871685900012636543 is right.",
            {
                WARN: (
                    "It is registered as stated. The update is answered Accepted, with a warning that names it; the "
                    "preview of a file has the same warning.",
                    "one.example reads that the check digit of ean.871685900012636544 is wrong.",
                ),
                ACCEPT: ("It is registered as stated, without a warning.", "one.example reads Accepted."),
            },
        ),
        "disclosure": PolicyText(
            "What a response names of the connections of a congestion point",
            "A DSO queries one of its congestion points.",
            "Three connections lie behind the congestion point; one.example represents two of them, "
            "two.example one.",
            {
                PER_CONNECTION: (
                    "The response names each connection, with the AGR that represents it.",
                    "The DSO reads three entity addresses, and which AGR represents each.",
                ),
                COUNTS: (
                    "The response has a pseudonym for each connection, new at every query, with the AGR: how many "
                    "connections each AGR represents, and not which.",
                    "The DSO reads three pseudonyms: two of one.example and one of two.example.",
                ),
            },
        ),
    },
    RESERVATIONS: {
        "late rejections": PolicyText(
            "An AGR rejects an update after its deadline",
            "An AGR rejects a reservation update that it has got. Its answer comes more than an hour after the "
            "deadline, so the DSO can no longer send another update.",
            "The deadline for 4 March is 12:00 on 3 March. An update was passed on to flex.example at 11:00. Its "
            "rejection comes at 13:01.",
            {
                STAFF_DECIDE: (
                    "The rejection is stored and changes nothing: the update counts for settlement. Staff record it "
                    "as rejected if both parties confirm that.",
                    "What the update states is settled.",
                ),
                COUNT: (
                    "The update is rejected, as by an answer in time, and does not count for settlement.",
                    "What was reserved before the update is settled.",
                ),
            },
        ),
        "updates for AGRs that may not act": PolicyText(
            "Updates for an AGR that may not act",
            "A DSO addresses a reservation update to an AGR that is suspended or barred, or not authorized in closed "
            "mode.",
            "flex.example is suspended. A DSO releases power that it has reserved with it.",
            {
                FORWARD: (
                    "The update is passed on all the same: the contract binds both parties, and the AGR must know "
                    "what is released. The AGR answers the DSO itself.",
                    "flex.example gets the update, and it counts.",
                ),
                REJECT: (
                    "The update is rejected: “Undeliverable”. The DSO so learns that the AGR may not act.",
                    "What was reserved stays reserved.",
                ),
            },
        ),
    },
    PERIOD_RULES: {
        "P1": PolicyText(
            "P1: ends before it starts",
            "EndPeriod lies before StartPeriod, and there is nothing to withdraw.",
            "An AGR states a connection that it never registered, from 10 March to 1 March.",
            {
                REJECT: (_OUT_OF_BOUNDS, "The update is rejected."),
                ADJUST: (f"No day is registered. {_WARNED}", "Nothing is registered of that connection."),
                ACCEPT: (f"The same as adjust: no day is registered. {_WARNED}", "The same."),
            },
        ),
        "P2": PolicyText(
            "P2: long past",
            "EndPeriod lies long in the past; the next policy says from how many days on.",
            "On 1 March an AGR states a connection from 1 January to 15 January.",
            {
                REJECT: (_OUT_OF_BOUNDS, "The update is rejected."),
                ADJUST: (f"The days are registered as stated. {_WARNED}", "1 to 15 January are registered."),
                ACCEPT: (f"The same as adjust: registered as stated. {_WARNED}", "The same."),
            },
        ),
        "P2 days": PolicyText(
            "P2 days: how long is long past",
            "From how many days in the past on an EndPeriod counts as long past.",
            "It is 30, and today is 1 March. An EndPeriod of 29 January or earlier is more than 30 days ago.",
            {},
        ),
        "P3": PolicyText(
            "P3: ends after its congestion point",
            "A connection ends after its congestion point, or is open-ended in one that ends.",
            "A congestion point ends on 30 June; a connection behind it is stated without an end.",
            {
                REJECT: (_OUT_OF_BOUNDS, "The update is rejected."),
                ADJUST: (
                    f"It is cut to the congestion point's days. {_WARNED}",
                    "The connection lies behind it up to and including 30 June.",
                ),
                ACCEPT: (
                    f"The days are registered as stated. {_WARNED}",
                    "The connection stays without an end, though the congestion point has one.",
                ),
            },
        ),
        "P4": PolicyText(
            "P4: starts before its congestion point",
            "A connection starts before its congestion point.",
            "A congestion point starts on 1 March; a connection behind it is stated from 1 January on.",
            {
                REJECT: (_OUT_OF_BOUNDS, "The update is rejected."),
                ADJUST: (
                    f"It starts with the congestion point. {_WARNED}",
                    "The connection lies behind it from 1 March on.",
                ),
                ACCEPT: (
                    f"The days are registered as stated. {_WARNED}",
                    "The connection lies behind it from 1 January on, though the point starts later.",
                ),
            },
        ),
        "P5": PolicyText(
            "P5: outside its congestion point",
            "A connection's period lies wholly outside its congestion point's.",
            "A congestion point starts on 1 March; a connection behind it is stated for January.",
            {
                REJECT: (_OUT_OF_BOUNDS, "The update is rejected."),
                ADJUST: (f"No day is registered. {_WARNED}", "Nothing is registered of that connection."),
                ACCEPT: (f"The same as adjust: no day is registered. {_WARNED}", "The same."),
            },
        ),
        "P6": PolicyText(
            "P6: stated twice",
            "A message states the same item twice, with overlapping periods. A congestion point that it gives "
            "different terms on one day is always rejected.",
            "An AGR states a connection from 1 March to 30 June, and again from 1 June to 30 September.",
            {
                REJECT: (_OUT_OF_BOUNDS, "The update is rejected."),
                ADJUST: (
                    f"The union of the periods is registered. {_WARNED}",
                    "1 March to 30 September are registered.",
                ),
                ACCEPT: (f"The same as adjust: their union is registered. {_WARNED}", "The same."),
            },
        ),
        "P7": PolicyText(
            "P7: a later block of days",
            "The sender holds a separate, later block of days about the same item, which its message does not "
            "name.",
            "An AGR holds a connection from 1 July to 31 December. It now states 1 February to 30 April.",
            {
                REJECT: (_OUT_OF_BOUNDS, "The update is rejected."),
                ADJUST: (
                    "The later block is kept, without a warning; with one if the update ends a congestion point.",
                    "It holds the connection from 1 February to 30 April and from 1 July to 31 December.",
                ),
                ACCEPT: (
                    "The later block is dropped. The update is answered Accepted, with a warning that names its days.",
                    "It holds the connection from 1 February to 30 April only.",
                ),
            },
        ),
    },
}
"""The policies of each group, in the order of the page."""


def policy_text(name: str) -> PolicyText:
    """Return the texts of the policy `name`, one of `registry.market.policies.POLICIES`."""
    return next(group[name] for group in POLICY_TEXTS.values() if name in group)
