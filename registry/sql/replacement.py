"""How a statement replaces its sender's earlier one, day by day (docs/rules.md D2, D3, P7): the SQL of it, once.

For statements about connections and about congestion points alike. Both pieces are expressions over two aliases:
`s`, the statement (`days` it states, `speaks_from` its first day, `withdraws_from` the day from which it withdraws
everything, or null), and `o.old`, the days that the sender has registered of the thing.
"""

# D2: what lies before the statement's first day stays.
BEFORE = "datemultirange(daterange(NULL, s.speaks_from))"

# D3: from that day on, a block that touches or overlaps the stated days gives way. P7: one that lies apart, later, is
# kept, as far as it is not withdrawn.
LATER = """(
    SELECT coalesce(range_agg(b), '{}') FROM unnest(o.old * datemultirange(daterange(s.speaks_from, NULL))) b
    WHERE NOT daterange(lower(b) - 1, upper(b) + 1) && s.days
) * datemultirange(daterange(NULL, s.withdraws_from))"""
