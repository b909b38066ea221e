"""The columns of the files about the registry: their order, the checks of each, and how good lines are staged.

The checks are conditions in SQL. `registry.imports.line_staging` runs them.
"""

from __future__ import annotations

from dataclasses import dataclass

from common.csv import spreadsheets
from common.identifiers import ENTITY_ADDRESS_SQL, FOREIGN_CHARACTER_SQL
from registry.periods import day_after_sql

DAY = (
    "({0} BETWEEN '0001-01-02' AND '9999-12-31' AND ({0} ~ '^[0-9]{{4}}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])"
    "|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))$'"
    " OR {0} ~ '^([0-9]{{2}}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29$'))"
)
FIRST_DAY = f"({DAY} AND {{0}} <> '9999-12-31')"
LAST_DAY = f"({{0}} = '' OR {DAY})"
BOOLEAN = "lower({0}) IN ('true', 'false', '1', '0')"
REDISPATCH = "{0} IN ('AGR', 'DSO')"
FOREIGN = "NOT (starts_with({0}, 'ea1.') AND {0} ~* %(own)s)"

IS_FIRST_DAY = "day: not a day as YYYY-MM-DD from 0001-01-02 to 9999-12-30"
IS_LAST_DAY = "day: not a day as YYYY-MM-DD from 0001-01-02 to 9999-12-31"
IS_ADDRESS = "address: not an entity address, ean. and 12 to 34 digits or ea1.YYYY-MM.domain:name"
IS_FOREIGN = "D10: lies under this CRO's own domain"


def _matches(pattern: str) -> str:
    """Return the condition, for `str.format`, that a value matches a regular expression."""
    return "{0} ~ '" + pattern.replace("{", "{{").replace("}", "}}") + "'"


Hints = tuple[tuple[str, str], ...]
"""Conditions in SQL on a value that breaks a rule, and the text for each, as an expression in SQL."""

ADDRESS_HINTS: Hints = (
    (_matches(spreadsheets.NUMBER), f"'address: {spreadsheets.NUMBER_HINT}'"),
    (_matches("^[0-9]{12,34}$"), "'address: not an entity address; write ean. before the digits'"),
    (
        _matches("[^ -~]"),
        f"'address: ' || {FOREIGN_CHARACTER_SQL} || '; an entity address is printable ASCII'",
    ),
)
BOOLEAN_HINTS: Hints = (
    (_matches(spreadsheets.BOOLEAN).replace("{0}", "lower({0})"), f"'boolean: {spreadsheets.BOOLEAN_HINT}'"),
)

OTHER_ROLE = {"AGR": "DSO", "DSO": "AGR"}


@dataclass(frozen=True, slots=True)
class Check:
    """A condition on a column.

    Attributes:
        column: The column.
        holds: The condition in SQL, about the alias `l`.
        rule: The code and the text of the rule.
        empty: The text for an empty value.
        hints: Texts that take the place of the rule's where a value shows what happened to it.
    """

    column: str
    holds: str
    rule: str
    empty: str = "is empty"
    hints: Hints = ()

    @classmethod
    def of(
        cls,
        column: str,
        condition: str,
        rule: str,
        *,
        where: str = "",
        empty: str = "is empty",
        hints: Hints = (),
    ) -> Check:
        """Return the check that `condition` holds, with the column in the place of `{0}`.

        With `where`, it need hold only on the lines for which `where` holds.
        """
        holds = condition.format(f"l.{quoted(column)}")
        return cls(column, f"(NOT ({where}) OR {holds})" if where else holds, rule, empty, hints)

    @classmethod
    def of_day(cls, column: str, condition: str, rule: str, *, where: str = "") -> Check:
        """Return the check of a day; its text says if a spreadsheet has rewritten the day."""
        rewritten = f"'{rule}; {spreadsheets.DAY_HINT}'"
        return cls.of(column, condition, rule, where=where, hints=((_matches(spreadsheets.DAY), rewritten),))

    @property
    def value(self) -> str:
        """Return the value of the column, in SQL."""
        return f"l.{quoted(self.column)}"

    @property
    def words(self) -> str:
        """Return the text for a line that breaks the rule, in SQL."""
        rule = self.rule.replace("'", "''")
        code = self.rule.partition(":")[0]
        hints = " ".join(f"WHEN {condition} THEN {text}".format(self.value) for condition, text in self.hints)
        return f"CASE WHEN {self.value} = '' THEN '{code}: {self.empty}' {hints} ELSE '{rule}' END"


@dataclass(frozen=True)
class Layout:
    """The lines of one kind of file.

    Attributes:
        table: A part of the names of its temporary tables.
        columns: The header.
        party: The column that names the participant.
        role: The role of that participant.
        checks: The conditions on the columns.
        good: The columns of the table of good lines, in SQL.
        stage: The SQL that fills the table of good lines, and then the tables of the staging.
        withdraws: The condition on a good line that ends before it starts.
    """

    table: str
    columns: tuple[str, ...]
    party: str
    role: str
    checks: tuple[Check, ...]
    good: str
    stage: tuple[str, ...]
    withdraws: str = "upper <= first"

    @property
    def raw(self) -> str:
        """Return the name of the table of the lines as they were read."""
        return f"import_{self.table}"

    @property
    def good_table(self) -> str:
        """Return the name of the table of the good lines, with their values."""
        return f"good_{self.table}"


class RegisteredParticipant(Check):
    """The check that the domain is of a registered participant (alias `p`) in the right role."""

    __slots__ = ()

    @classmethod
    def as_(cls, role: str) -> RegisteredParticipant:
        """Return the check for a role; its column has the role's name."""
        return cls(role.lower(), "p.id IS NOT NULL", f"participant: {not_registered(role)}")

    @property
    def words(self) -> str:
        """Return the text for a domain without the role, in SQL.

        It says if the domain has the other role, or if it has the role when it is written in lower case.
        """
        role = self.column.upper()
        other = OTHER_ROLE[role]
        return f"""CASE WHEN p.id IS NULL AND EXISTS (
            SELECT FROM participants_participant WHERE role = '{other}' AND domain = {self.value}
        ) THEN 'participant: {not_registered(role, other)}' WHEN EXISTS (
            SELECT FROM participants_participant WHERE role = '{role}' AND domain = lower({self.value})
        ) THEN 'participant: a domain is in lower case; write ' || lower({self.value}) ELSE {super().words} END"""


def not_registered(role: str, other: str = "") -> str:
    """Return the fault that no participant has `role`; `other` is the role that it has instead, if any."""
    return f"not registered as {role}{other and f', only as {other}'}"


def quoted(column: str) -> str:
    """Return the column's name in SQL, quoted since `end` is a keyword."""
    return f'"{column}"'


_HAS_CONNECTION = "l.\"connection\" <> '' OR l.connection_start <> '' OR l.connection_end <> ''"

REPRESENTATIONS = Layout(
    table="representation",
    columns=("agr", "connection", "start", "end"),
    party="agr",
    role="AGR",
    checks=(
        RegisteredParticipant.as_("AGR"),
        Check.of("connection", ENTITY_ADDRESS_SQL, IS_ADDRESS, hints=ADDRESS_HINTS),
        Check.of("connection", FOREIGN, IS_FOREIGN),
        Check.of_day("start", FIRST_DAY, IS_FIRST_DAY),
        Check.of_day("end", LAST_DAY, IS_LAST_DAY),
    ),
    good="""
        line integer NOT NULL, party_id bigint NOT NULL, address text COLLATE "C" NOT NULL, first date NOT NULL,
        upper date""",
    stage=(
        f"""
        INSERT INTO good_representation
        SELECT l.line, p.id, l.connection, l.start::date, {day_after_sql("nullif(l.end, '')::date")}
        FROM import_representation l
        JOIN participants_participant p ON p.role = 'AGR' AND p.domain = l.agr
        WHERE {{good}}""",
        """
        INSERT INTO staged_line (line, point, party_id, address, first, upper)
        SELECT line, 0, party_id, address, first, upper FROM good_representation""",
    ),
)

MEMBERSHIPS = Layout(
    table="membership",
    columns=(
        "dso",
        "congestion_point",
        "start",
        "end",
        "mutex_offers_supported",
        "day_ahead_redispatch_by",
        "intraday_redispatch_by",
        "connection",
        "connection_start",
        "connection_end",
    ),
    party="dso",
    role="DSO",
    checks=(
        RegisteredParticipant.as_("DSO"),
        Check.of("congestion_point", ENTITY_ADDRESS_SQL, IS_ADDRESS, hints=ADDRESS_HINTS),
        Check.of("congestion_point", FOREIGN, IS_FOREIGN),
        Check.of_day("start", FIRST_DAY, IS_FIRST_DAY),
        Check.of_day("end", LAST_DAY, IS_LAST_DAY),
        Check.of("mutex_offers_supported", BOOLEAN, "boolean: neither true nor false", hints=BOOLEAN_HINTS),
        Check.of("day_ahead_redispatch_by", REDISPATCH, "redispatch: neither AGR nor DSO"),
        Check.of(
            "intraday_redispatch_by",
            REDISPATCH,
            "redispatch: neither AGR nor DSO, nor empty",
            where="l.intraday_redispatch_by <> ''",
        ),
        Check.of(
            "connection",
            ENTITY_ADDRESS_SQL,
            IS_ADDRESS,
            where=_HAS_CONNECTION,
            empty="is empty, but its days are given",
            hints=ADDRESS_HINTS,
        ),
        Check.of("connection", FOREIGN, IS_FOREIGN, where=_HAS_CONNECTION),
        Check.of_day("connection_start", FIRST_DAY, IS_FIRST_DAY, where=_HAS_CONNECTION),
        Check.of_day("connection_end", LAST_DAY, IS_LAST_DAY, where=_HAS_CONNECTION),
    ),
    good="""
        line integer NOT NULL, party_id bigint NOT NULL, point text COLLATE "C" NOT NULL, point_first date NOT NULL,
        point_upper date, mutex boolean NOT NULL, day_ahead text NOT NULL, intraday text,
        address text COLLATE "C" NOT NULL, first date, upper date""",
    stage=(
        f"""
        INSERT INTO good_membership
        SELECT l.line, p.id, l.congestion_point, l.start::date, {day_after_sql("nullif(l.end, '')::date")},
            lower(l.mutex_offers_supported)::boolean, l.day_ahead_redispatch_by, nullif(l.intraday_redispatch_by, ''),
            l.connection, nullif(l.connection_start, '')::date,
            {day_after_sql("nullif(l.connection_end, '')::date")}
        FROM import_membership l
        JOIN participants_participant p ON p.role = 'DSO' AND p.domain = l.dso
        WHERE {{good}}""",
        # D5 is for messages: in a file the last day is the last day (docs/rules.md I5).
        """
        INSERT INTO staged_point
            (number, dso_id, address, first, upper, stated_upper, ends, mutex, day_ahead, intraday)
        SELECT row_number() OVER (ORDER BY min(line)), party_id, point, point_first, point_upper, point_upper, false,
            mutex, day_ahead, intraday
        FROM good_membership
        GROUP BY party_id, point, point_first, point_upper, mutex, day_ahead, intraday""",
        """
        INSERT INTO staged_line (line, point, party_id, address, first, upper)
        SELECT g.line, s.number, g.party_id, g.address, g.first, g.upper
        FROM good_membership g
        JOIN staged_point s ON s.dso_id = g.party_id AND s.address = g.point AND s.first = g.point_first
            AND s.mutex = g.mutex AND s.day_ahead = g.day_ahead
            AND s.upper IS NOT DISTINCT FROM g.point_upper AND s.intraday IS NOT DISTINCT FROM g.intraday
        WHERE g.address <> ''""",
    ),
    withdraws="upper <= first OR point_upper <= point_first",
)
