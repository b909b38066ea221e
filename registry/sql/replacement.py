"""How a statement replaces the days that its sender registered earlier (docs/rules.md D2, D3, P7).

Statements about connections and about congestion points use the same two SQL expressions. They need two aliases:

* `s`, the statement: `days` are the stated days, `replaces_from` is its first day, and `withdraws_from` is the day from
  which it withdraws everything, or null.
* `o`, with `o.old`: the days that the sender has registered of the item.

A statement about a congestion point has `s.ended_days` too: the days on which it ends the congestion point at once.
"""

# D2: days before the first day of the statement stay.
KEPT_BEFORE = "datemultirange(daterange(NULL, s.replaces_from))"

# D3: from that day on, a block that touches or overlaps the stated days is replaced. P7: a separate, later block is
# kept, except the days that are withdrawn.
_KEPT_LATER = """(
    SELECT coalesce(range_agg(b), '{{}}') FROM unnest(o.old * datemultirange(daterange(s.replaces_from, NULL))) b
    WHERE NOT daterange(lower(b) - 1, upper(b) + 1) && s.days{replaced_too}
) * datemultirange(daterange(NULL, s.withdraws_from))"""

KEPT_LATER = _KEPT_LATER.format(replaced_too="")

# D5: so is a block that contains a day on which the congestion point is ended at once.
KEPT_LATER_OF_POINT = _KEPT_LATER.format(replaced_too=" AND NOT b && s.ended_days")
