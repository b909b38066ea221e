"""`manage.py import_contracts`: a file of contracts is recorded as a whole or not at all."""

from __future__ import annotations

import csv
import gzip
import re
import sys
from collections.abc import Callable
from datetime import date, time
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F
from django.test import Client
from django.utils import timezone

from common.csv.importing import ImportRequest, import_file
from common.csv.reader import Row
from participants.models import AuditEntry, Participant
from registry.changes import Source
from registry.market.market import set_market
from registry.models import Change, ImportRun
from reservations.contracts.profiles import Profile, Stretch
from reservations.contracts.record import record, terms_of
from reservations.deadlines import Deadline
from reservations.imports.load import ContractImporter
from reservations.models import Contract, ContractVersion, VersionProfile
from tests.registry.admin.test_staff_at_once import at_once
from tests.reservations.dsl import CONTRACT, POINT, Parties, send, update_xml
from tests.reservations.form_data import member
from tests.support.polling import wait_for
from tests.support.processes import Process

HEADER = (
    "dso,agr,contract_id,congestion_point,start,end,isp_duration,deadline_days,deadline_time,deadline_hours,state,"
    "days,first_isp,last_isp,reserved_w"
)
COLUMNS = HEADER.split(",")
PHASES = ("reading", "checking", "comparing", "writing")
USUAL = {
    "dso": "grid.example",
    "agr": "agr.example",
    "contract_id": "C-1",
    "congestion_point": POINT,
    "start": "2026-01-01",
    "end": "2026-12-31",
    "isp_duration": "PT15M",
    "deadline_days": "1",
    "deadline_time": "10:00",
    "deadline_hours": "",
    "state": "in force",
    "days": "every day",
    "first_isp": "1",
    "last_isp": "96",
    "reserved_w": "500000",
}
Line = dict[str, str]
Import = Callable[..., str]


def line(**values: str) -> Line:
    return {**USUAL, **values}


FILE = [
    line(last_isp="40"),
    line(first_isp="41", last_isp="60", reserved_w="-250000"),
    line(days="SUNDAY", reserved_w="0"),
    line(days="6", first_isp="9", last_isp="12", reserved_w="+7"),
    line(days="2026-10-25", last_isp="100", reserved_w="9"),
    line(
        contract_id="C-2", end="", deadline_days="", deadline_time="", deadline_hours="6", state="", days=""
    ),
    line(
        contract_id="C-2", agr="other.example", state="Draft", deadline_time="10:00:30", isp_duration="PT900S"
    ),
]


def text_of(lines: list[Line], delimiter: str = ",", end: str = "\n") -> str:
    rows = [COLUMNS, *([each[column] for column in COLUMNS] for each in lines)]
    return "".join(delimiter.join(row) + end for row in rows)


@pytest.fixture
def parties_on_record(db: None) -> None:
    for role, domain in (("DSO", "grid.example"), ("AGR", "agr.example"), ("AGR", "other.example")):
        Participant.objects.create(role=role, domain=domain)


@pytest.fixture
def imports(parties_on_record: None, tmp_path: Path) -> Import:
    """Imports lines with the command, and gives what it printed besides the numbers under which it is on record."""

    def run(lines: list[Line] | str | bytes, *options: str) -> str:
        text = text_of(lines) if isinstance(lines, list) else lines
        path = tmp_path / "contracts.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        out = StringIO()
        errors = StringIO()
        try:
            call_command("import_contracts", str(path), *options, stdout=out, stderr=errors)
        except CommandError as error:
            found = [each for each in errors.getvalue().splitlines() if each not in PHASES]
            raise CommandError("\n".join([*found, str(error)]), returncode=error.returncode) from None
        except SystemExit:
            sys.stderr.write(errors.getvalue())
            raise
        return re.sub(r"^(Import|Change): \d+\n", "", out.getvalue(), flags=re.MULTILINE)

    return run


def refusal(imports: Import, lines: list[Line] | str | bytes, *options: str) -> list[str]:
    """What the command says of a file that is refused, line by line; nothing of it is recorded."""
    before = ContractVersion.objects.count(), Contract.objects.count(), Change.objects.count()
    with pytest.raises(CommandError) as raised:
        imports(lines, *options)
    assert raised.value.returncode == (3 if ImportRun.objects.latest("pk").state == "refused" else 1)
    assert (ContractVersion.objects.count(), Contract.objects.count(), Change.objects.count()) == before
    *said, place = [each for each in str(raised.value).splitlines() if not each.startswith("Rejects: ")]
    assert place == f"Import: {ImportRun.objects.latest('pk').pk}"
    return said


def counted(new: int, changed: int, unchanged: int) -> str:
    return f"Contracts new: {new}\nContracts changed: {changed}\nContracts unchanged: {unchanged}\n"


def said_on(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the command says on standard error, without how far it is."""
    return [each for each in capsys.readouterr().err.splitlines() if each not in PHASES]


def faults(imports: Import, lines: list[Line] | str | bytes) -> list[str]:
    *said, last = refusal(imports, lines)
    assert last.startswith("Nothing was imported")
    return said


def current(contract_id: str, agr: str = "agr.example") -> ContractVersion:
    return ContractVersion.objects.current().get(contract__contract_id=contract_id, contract__agr__domain=agr)


def test_the_contracts_of_a_file_are_recorded(imports: Import) -> None:
    said = imports(FILE)
    change = Change.objects.get()
    assert said == f"Applied.\nLines: 7, bad: 0\n{counted(3, 0, 0)}"
    run = ImportRun.objects.get()
    assert (run.kind, run.state, run.change, run.lines) == ("contracts", "applied", change, 7)
    first = current("C-1")
    assert (first.number, first.state, first.time_zone) == (1, "in force", "Europe/Amsterdam")
    terms = terms_of(first)
    assert (terms.congestion_point, terms.first, terms.last) == (POINT, date(2026, 1, 1), date(2026, 12, 31))
    assert (terms.isp_minutes, terms.deadline) == (15, Deadline(days=1, at=time(10)))
    assert terms.profile == Profile(
        (Stretch(1, 40, 500_000), Stretch(41, 60, -250_000)),
        {7: (), 6: (Stretch(9, 12, 7),)},
        {date(2026, 10, 25): (Stretch(1, 100, 9),)},
    )
    second = current("C-2")
    assert (second.state, second.period.upper, second.deadline) == ("in force", None, Deadline(hours=6))
    other = current("C-2", "other.example")
    assert (other.state, other.deadline, other.isp_minutes) == (
        "draft",
        Deadline(days=1, at=time(10, 0, 30)),
        15,
    )


def test_the_file_in_the_handbook_is_taken(imports: Import, settings: Any) -> None:
    handbook = (settings.BASE_DIR / "docs/operating.md").read_text()
    (example,) = re.findall(rf"^```csv\n({HEADER}\n.*?)^```$", handbook, re.DOTALL | re.MULTILINE)
    imports(example)
    profile = terms_of(current("flex-7")).profile
    assert profile.every_day == (Stretch(29, 40, 500_000), Stretch(69, 80, -250_000))
    assert (profile.weekdays, list(profile.days)) == ({7: ()}, [date(2026, 10, 25)])


def test_the_whole_file_is_one_change_with_its_name_and_its_parties(imports: Import) -> None:
    imports(FILE)
    change = Change.objects.get()
    assert (change.kind, change.reason) == ("import", "contracts.csv")
    assert change.actor.startswith("command line")
    assert change.moment is not None
    assert change.participants == sorted(Participant.objects.values_list("pk", flat=True))
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject) == ("import contracts", "contracts.csv")
    assert entry.after == {"contracts": "3 new, 0 changed", "change": change.pk}
    assert entry.participants == []
    assert (change.why, entry.reason) == ("", "")


def test_why_a_file_is_imported_is_recorded_with_what_it_changes(imports: Import, client: Client) -> None:
    imports(FILE, "--reason", "amendment 7\nof all")
    change, entry = Change.objects.get(), AuditEntry.objects.get()
    assert (change.file_name, change.why) == ("contracts.csv", "amendment 7\nof all")
    assert (entry.subject, entry.reason) == ("contracts.csv", "amendment 7\nof all")
    client.force_login(member("kim"))
    page = client.get(f"/admin/reservations/contract/{Contract.objects.earliest('pk').pk}/change/")
    said = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.content.decode()))
    assert re.search(r"import contracts\.csv\s+amendment 7 of all", said)
    decisions = client.get("/admin/participants/auditentry/").content.decode()
    assert "contracts: 3 new, 0 changed" in decisions
    assert "amendment 7" in decisions


def test_the_same_file_again_changes_nothing(imports: Import) -> None:
    imports(FILE)
    before = list(ContractVersion.objects.values()), list(VersionProfile.objects.values())
    assert imports(FILE) == f"Nothing to change.\nLines: 7, bad: 0\n{counted(0, 0, 3)}"
    in_other_words = text_of(
        [{**each, "isp_duration": "PT0H15M", "days": each["days"].lower()} for each in reversed(FILE)],
        ";",
        "\r\n",
    )
    assert counted(0, 0, 3) in imports("\ufeff" + in_other_words)
    assert (list(ContractVersion.objects.values()), list(VersionProfile.objects.values())) == before
    assert Change.objects.count() == AuditEntry.objects.count() == 1


def test_what_differs_is_a_next_version_and_the_rest_stays(imports: Import) -> None:
    imports(FILE)
    changed = [{**each, "end": "2027-12-31"} if each["contract_id"] == "C-1" else each for each in FILE[:6]]
    assert counted(0, 1, 1) in imports(changed)
    assert [current("C-1").number, current("C-2").number, current("C-2", "other.example").number] == [2, 1, 1]
    change = Change.objects.latest("pk")
    assert current("C-1").recorded_by == change
    first = ContractVersion.objects.get(contract__contract_id="C-1", number=1)
    assert first.superseded_by == change
    domains = Participant.objects.filter(pk__in=change.participants).values_list("domain", flat=True)
    assert set(domains) == {"grid.example", "agr.example"}


def test_a_dry_run_prints_what_would_change_and_changes_nothing(imports: Import) -> None:
    assert imports(FILE, "--dry-run").splitlines() == [
        "A dry run, which changes nothing: this is what would change.",
        "New: C-1 of grid.example with agr.example: in force, 2026-01-01 to 2026-12-31",
        "New: C-2 of grid.example with agr.example: in force, from 2026-01-01",
        "New: C-2 of grid.example with other.example: draft, 2026-01-01 to 2026-12-31",
        "Lines: 7, bad: 0",
        *counted(3, 0, 0).splitlines(),
    ]
    assert not Contract.objects.exists()
    assert not Change.objects.exists()
    assert not AuditEntry.objects.exists()
    imports(FILE)
    changed = [
        {**each, "deadline_time": "09:30", "reserved_w": "1"} if each["contract_id"] == "C-1" else each
        for each in FILE
        if each["days"] != "6"
    ]
    assert imports(changed, "--dry-run").splitlines()[1:] == [
        "Changed: C-1 of grid.example with agr.example: deadline: the day before at 10:00 → the day before at 09:30;"
        " every day: 1-40: 500,000 W, 41-60: −250,000 W → 1-60: 1 W; Sunday: nothing reserved → 1-96: 1 W;"
        " 2026-10-25: 1-100: 9 W → 1-100: 1 W; Saturday: 9-12: 7 W → as every day",
        f"Lines: {len(changed)}, bad: 0",
        *counted(0, 1, 2).splitlines(),
    ]
    assert ContractVersion.objects.count() == 3


def test_a_dry_run_names_the_stretches_that_differ_and_counts_many(imports: Import) -> None:
    def stretches(*watts: int) -> list[Line]:
        return [
            line(first_isp=str(isp), last_isp=str(isp), reserved_w=str(each))
            for isp, each in enumerate(watts, start=1)
        ]

    sunday, christmas = line(days="Sunday", reserved_w="0"), line(days="2026-12-25", reserved_w="0")
    imports([*stretches(1, 2, 3, 4, 5, 6, 7), sunday, christmas])
    for lines, said in (
        (
            [*stretches(1, 2, 3, 40, 5, 6, 7), christmas],
            "every day: 4: 4 W → 4: 40 W, the rest as it is; Sunday: nothing reserved → as every day",
        ),
        (
            [*stretches(1, 2), sunday],
            "every day: 3: 3 W, 4: 4 W, 5: 5 W, 6: 6 W and 1 more → nothing reserved, the rest as it is;"
            " 2026-12-25: nothing reserved → as its day of the week",
        ),
    ):
        changed = imports(lines, "--dry-run").splitlines()[1]
        assert changed == f"Changed: C-1 of grid.example with agr.example: {said}"


def test_a_dry_run_names_the_same_faults(imports: Import) -> None:
    bad = [line(reserved_w="x"), line(agr="nobody.example", contract_id="C-2")]
    assert refusal(imports, bad) == refusal(imports, bad, "--dry-run")


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"dso": ""}, "dso: participant: is empty: give the DSO's domain"),
        ({"dso": "nobody.example"}, "dso: participant: not registered as DSO: nobody.example"),
        ({"dso": "agr.example"}, "dso: participant: not registered as DSO, only as AGR: agr.example"),
        ({"agr": "grid.example"}, "agr: participant: not registered as AGR, only as DSO: grid.example"),
        (
            {"contract_id": ""},
            "contract_id: contract: Give the ContractID on which the DSO and the AGR have agreed.",
        ),
        ({"contract_id": "C" * 256}, "contract_id: contract: A ContractID has at most 255 characters."),
        (
            {"congestion_point": "feeder 7"},
            "congestion_point: address: 'feeder 7' is not an entity address: ",
        ),
        ({"start": ""}, "start: day: is empty: give a day, such as 2026-12-31"),
        ({"start": "1.1.26"}, "start: day: not a day, such as 2026-12-31; a spreadsheet has rewritten it"),
        ({"start": "2026-02-30"}, "start: day: not a day, such as 2026-12-31: 2026-02-30"),
        ({"start": "20260101"}, "start: day: not a day, such as 2026-12-31: 20260101"),
        ({"start": "0001-01-01"}, "start: day: 0001-01-01 is not a day from 1970-01-01 to 9998-12-31."),
        (
            {"start": "9999-12-31", "end": ""},
            "start: day: 9999-12-31 is not a day from 1970-01-01 to 9998-12-31.",
        ),
        ({"end": "soon"}, "end: day: not a day, such as 2026-12-31, or empty: soon"),
        ({"end": "2025-12-31"}, "end: day: The last day, 2025-12-31, lies before the first, 2026-01-01."),
        (
            {"isp_duration": "PT30M"},
            "isp_duration: duration: PT30M is not the market's ISP duration, which is PT15M.",
        ),
        (
            {"isp_duration": "15", "last_isp": "288"},
            "isp_duration: duration: not a duration that divides an hour, such as PT15M: 15",
        ),
        ({"deadline_days": "-1"}, "deadline_days: number: must be 0 or more: -1"),
        ({"deadline_days": "1.5"}, "deadline_days: number: not a whole number: 1.5"),
        ({"deadline_days": "123456"}, "deadline_days: number: 123456: give a number from 0 to 366."),
        ({"deadline_days": "9999"}, "deadline_days: number: 9999: give a number from 0 to 366."),
        ({"deadline_days": ""}, "deadline_days: number: Give the number of days before the Period too."),
        ({"deadline_time": ""}, "deadline_time: time: Give the time of day too."),
        ({"deadline_time": "24:00"}, "deadline_time: time: not a time of day, such as 10:00: 24:00"),
        ({"deadline_time": "10"}, "deadline_time: time: not a time of day, such as 10:00: 10"),
        (
            {"deadline_hours": "6"},
            "deadline_hours: number: Give either the days before the Period and a time of day, or",
        ),
        ({"deadline_hours": "x"}, "deadline_hours: number: not a whole number: x"),
        ({"state": "active"}, "state: state: not one of draft, in force, ended: active"),
        ({"state": "ended", "end": ""}, "end: day: An ended contract has a last day: give it."),
        (
            {"days": "weekend"},
            "days: day: not every day, a day of the week such as Monday, or a day such as",
        ),
        ({"days": "8"}, "days: day: not every day"),
        (
            {"days": "2027-01-01"},
            "days: day: This day lies outside the contract's days, 2026-01-01 to 2026-12-31.",
        ),
        ({"first_isp": "0"}, "first_isp: number: must be 1 or more: 0"),
        ({"first_isp": "-1"}, "first_isp: number: must be 1 or more: -1"),
        ({"last_isp": "9" * 19}, "last_isp: number: is too large: 9999999999999999999"),
        ({"deadline_days": "9" * 5000}, f"deadline_days: number: is too large: {'9' * 200}"),
        ({"first_isp": ""}, "first_isp: number: is empty: give the number of an ISP, from 1"),
        ({"last_isp": "97"}, "last_isp: number: ISPs 1 to 97: the day has ISPs 1 to 96."),
        ({"first_isp": "9", "last_isp": "8"}, "last_isp: number: ISPs 9 to 8: it ends before it begins."),
        (
            {"days": "2026-03-29", "last_isp": "93"},
            "last_isp: number: ISPs 1 to 93: the day has ISPs 1 to 92.",
        ),
        (
            {"reserved_w": ""},
            "reserved_w: number: is empty: give a whole number of watts, such as 500000 or -500000",
        ),
        (
            {"reserved_w": "1.5"},
            "reserved_w: number: not a whole number of watts, such as 500000 or -500000: 1.5",
        ),
        (
            {"reserved_w": "1" * 5000},
            f"reserved_w: number: is too large: at most 1000000000000 W either way: {'1' * 200}",
        ),
        (
            {"reserved_w": "1000000000001"},
            "reserved_w: number: 1000000000001 W: at most 1000000000000 W either way.",
        ),
    ],
)
def test_what_is_wrong_is_named_by_line_and_column(imports: Import, said: Line, fault: str) -> None:
    (named,) = faults(imports, [line(contract_id="C-0"), line(**said)])
    assert named.startswith(f"line 3, column {fault}")


def test_every_bad_line_is_named_at_once(imports: Import) -> None:
    text = text_of(
        [
            line(last_isp="97", reserved_w="much"),
            line(contract_id="C-2", start="x", end="y", agr="nobody.example", last_isp="98"),
            line(contract_id="C-3"),
            line(
                contract_id="C-4",
                congestion_point="p",
                deadline_hours="x",
                state="?",
                days="x",
                first_isp="0",
            ),
        ]
    )
    assert faults(imports, f"{text}too,short\n") == [
        "line 2, column last_isp: number: ISPs 1 to 97: the day has ISPs 1 to 96.",
        "line 2, column reserved_w: number: not a whole number of watts, such as 500000 or -500000: much",
        "line 3, column agr: participant: not registered as AGR: nobody.example",
        "line 3, column start: day: not a day, such as 2026-12-31: x",
        "line 3, column end: day: not a day, such as 2026-12-31, or empty: y",
        "line 3, column last_isp: number: ISPs 1 to 98: the day has ISPs 1 to 96.",
        "line 5, column congestion_point: address: 'p' is not an entity address: ean. and 12 to 34 digits, or ea1., a"
        " month, a domain backwards, a colon and a name, such as ea1.2026-01.example.grid:feeder-7.",
        "line 5, column deadline_hours: number: not a whole number: x",
        "line 5, column state: state: not one of draft, in force, ended: ?",
        "line 5, column days: day: not every day, a day of the week such as Monday, or a day such as 2026-12-25: x",
        "line 5, column first_isp: number: must be 1 or more: 0",
        "line 6: file: 2 fields, where the header has 15. It is the last line: is the file cut off?",
    ]


def test_the_first_twenty_faults_are_printed_and_the_rest_counted(imports: Import) -> None:
    lines = [line(contract_id=f"C-{number}", reserved_w="x", first_isp="y") for number in range(20)]
    said = refusal(imports, [*lines, line(), line(contract_id="C-99", reserved_w="z")])
    assert len(said) == 22
    assert said[19].startswith("line 11, column reserved_w: number: not a whole number")
    assert said[20:] == ["and 21 more.", "Nothing was imported: 41 faults on 21 lines."]
    assert refusal(imports, [line(start="x")])[-1] == "Nothing was imported: 1 fault on 1 line."


def test_rejects_hold_the_values(imports: Import, tmp_path: Path) -> None:
    faults(imports, [line(), line(contract_id="C-2", reserved_w="x")])
    assert list(csv.reader((tmp_path / "contracts.rejects.csv").read_text().splitlines())) == [
        ["line", "column", "rule", "value"],
        ["3", "reserved_w", "number: not a whole number of watts, such as 500000 or -500000", "x"],
    ]


def test_bad_contracts_are_left_out_as_a_whole_where_that_is_asked_for(
    imports: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line that nobody can read may be of any contract: then nothing is taken."""
    lines = [
        line(),
        line(contract_id="C-2", last_isp="40"),
        line(contract_id="C-2", first_isp="41", reserved_w="x"),
        line(contract_id="C-3", last_isp="97"),
        line(contract_id="C-4"),
    ]
    with pytest.raises(SystemExit) as raised:
        imports(lines, "--skip-bad-lines")
    assert raised.value.code == 4
    assert said_on(capsys) == [
        "line 3: contract: Left out with line 4 of the same contract.",
        "line 4, column reserved_w: number: not a whole number of watts, such as 500000 or -500000: x",
        "line 5, column last_isp: number: ISPs 1 to 97: the day has ISPs 1 to 96.",
        "Bad lines that were skipped: 3.",
    ]
    assert set(Contract.objects.values_list("contract_id", flat=True)) == {"C-1", "C-4"}
    assert ContractVersion.objects.count() == 2
    assert ImportRun.objects.get().bad_lines == 3
    text = text_of([line(contract_id="C-5")]) + "a,b\n"
    assert refusal(imports, text, "--skip-bad-lines") == [
        "line 3: file: 2 fields, where the header has 15. It is the last line: is the file cut off?",
        "Nothing was imported: 1 fault on 1 line.",
    ]


def test_what_is_wrong_with_a_contract_is_named_once_with_its_other_lines(imports: Import) -> None:
    lines = [line(start="x"), line(contract_id="C-2"), line(start="x", days="1"), line(start="x", days="2")]
    assert faults(imports, lines) == [
        "line 2, column start: day: not a day, such as 2026-12-31; the same on lines 4-5: x"
    ]


def test_lines_of_one_contract_that_disagree_are_named(imports: Import) -> None:
    lines = [line(), line(days="1", end="", state="draft"), line(days="2", end="2026-12-30", state="no")]
    assert faults(imports, lines) == [
        "line 3, column end: day: empty here, and 2026-12-31 on line 2 of the same contract.",
        "line 3, column state: state: draft here, and in force on line 2 of the same contract.",
        "line 4, column end: day: 2026-12-30 here, and 2026-12-31 on line 2 of the same contract.",
        "line 4, column state: state: not one of draft, in force, ended: no",
    ]


def test_stretches_that_overlap_are_named_with_both_lines(imports: Import) -> None:
    lines = [
        line(first_isp="40", last_isp="60"),
        line(days="Monday", first_isp="1", last_isp="4"),
        line(contract_id="C-2"),
        line(first_isp="20", last_isp="42"),
        line(days="Monday", first_isp="4", last_isp="4", reserved_w="0"),
    ]
    assert faults(imports, lines) == [
        "line 5, column first_isp: number: ISPs 40 to 42 are named twice. The other is line 2.",
        "line 6, column first_isp: number: ISP 4 is named twice. The other is line 3.",
    ]


def test_lines_are_counted_as_an_editor_counts_them(imports: Import) -> None:
    text = text_of([line(contract_id='"C\n1"'), line(reserved_w="x")])
    assert [each.partition(":")[0] for each in faults(imports, text)] == [
        "line 2",
        "line 3",
        "line 4, column reserved_w",
    ]


def test_a_quote_that_is_not_closed_keeps_all_contracts_out(imports: Import) -> None:
    """The lines after it are read, and nothing is imported, as the line may be of any contract."""
    lines = [
        line(),
        line(contract_id='"C-2'),
        line(contract_id="C-3", reserved_w="x"),
        line(contract_id="C-4"),
    ]
    assert refusal(imports, text_of(lines), "--skip-bad-lines") == [
        "line 3: file: A quote is opened here and not closed on its line.",
        "line 4, column reserved_w: number: not a whole number of watts, such as 500000 or -500000: x",
        "Nothing was imported: 2 faults on 2 lines.",
    ]


def test_bytes_that_are_no_text_are_named(imports: Import) -> None:
    text = text_of([line(), line(contract_id="C-2")]).encode()
    bad = text.replace(b"C-1", b"C-\xff").replace(b"C-2", b"C-\0")
    assert faults(imports, bad) == [
        "line 2, column contract_id: file: This is not UTF-8: save the file as CSV in UTF-8.",
        "line 3, column contract_id: file: This holds a NUL byte.",
    ]


def test_a_header_that_does_not_match_says_which_columns_are_wanted(imports: Import) -> None:
    said = refusal(imports, "dso,agr,contract,state\n")
    assert said[0].startswith(
        "line 1: This names other columns than wanted. Missing: contract_id, congestion_point,"
    )
    assert said[0].endswith(f"{','.join(COLUMNS)}.")
    assert "unknown: 'contract'." in said[0]
    assert said[1:] == ["Nothing was imported."]


def test_a_file_that_cannot_be_opened_is_an_error(imports: Import, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"missing\.csv cannot be opened: No such file") as raised:
        call_command("import_contracts", str(tmp_path / "missing.csv"))
    assert raised.value.returncode == 1


def test_a_file_of_a_header_alone_changes_nothing(imports: Import) -> None:
    assert imports([]) == f"Nothing to change.\nLines: 0, bad: 0\n{counted(0, 0, 0)}"
    assert not Change.objects.exists()


def test_a_packed_file_and_standard_input_are_read(
    imports: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tmp_path / "contracts.csv.gz"
    packed.write_bytes(gzip.compress(text_of(FILE[:5]).encode()))
    call_command("import_contracts", str(packed), stdout=StringIO())
    assert Change.objects.get().reason == "contracts.csv.gz"
    piped = tmp_path / "piped"
    piped.write_text(text_of(FILE))
    with piped.open() as file:
        monkeypatch.setattr("sys.stdin", file)
        call_command("import_contracts", "-", stdout=StringIO())
    assert Change.objects.latest("pk").reason == "standard input"
    assert Contract.objects.count() == 3


def test_a_file_ends_a_contract_and_puts_a_draft_in_force(imports: Import) -> None:
    imports([line(state="draft"), line(contract_id="C-2")])
    imports([line(), line(contract_id="C-2", state="ended", end="2026-06-30")])
    assert (current("C-1").state, current("C-2").state) == ("in force", "ended")
    assert [current("C-1").number, current("C-2").number] == [2, 2]


def test_a_contract_with_updates_cannot_be_made_a_draft_by_a_file(parties: Parties, tmp_path: Path) -> None:
    send(parties.dso, update_xml(parties.dso, parties.agr.domain, (1, 4, 0)))
    path = tmp_path / "contracts.csv"
    path.write_text(
        text_of([line(dso=parties.dso.domain, agr=parties.agr.domain, contract_id=CONTRACT, state="draft")])
    )
    errors = StringIO()
    with pytest.raises(CommandError):
        call_command("import_contracts", str(path), stderr=errors)
    assert "line 2, column state: state: The contract is in force and updates are about" in errors.getvalue()


def test_a_file_is_about_the_market_as_it_is(imports: Import) -> None:
    imports(FILE)
    set_market(isp_duration="PT1H", time_zone="Europe/London", actor="kim")
    assert (
        "isp_duration: duration: PT15M is not the market's ISP duration, which is PT1H."
        in faults(imports, FILE)[0]
    )
    hours = [{**each, "isp_duration": "PT1H", "first_isp": "1", "last_isp": "24"} for each in FILE[3:]]
    imports(hours)
    assert (current("C-1").isp_minutes, current("C-1").time_zone) == (60, "Europe/London")


def test_what_staff_and_a_file_record_are_the_same(imports: Import) -> None:
    imports(FILE)
    for version in ContractVersion.objects.select_related("contract__dso", "contract__agr"):
        contract, terms = version.contract, terms_of(version)
        state, source = ContractVersion.State(version.state), Source.of_staff("kim", "the same")
        assert (
            record(contract.dso, contract.agr, contract.contract_id, terms, state=state, source=source)
            is None
        )


@pytest.mark.django_db(transaction=True)
def test_two_files_at_once_are_one_after_the_other(imports: Import, tmp_path: Path) -> None:
    def run(number: int) -> None:
        names = [f"C-{name}" for name in range(60)]
        lines = [line(contract_id=name, reserved_w=str(number)) for name in (names, names[::-1])[number % 2]]
        path = tmp_path / f"{number}.csv"
        path.write_text(text_of(lines))
        call_command("import_contracts", str(path), stdout=StringIO())

    at_once(*(partial(run, number) for number in range(1, 5)))
    assert Contract.objects.count() == 60
    assert ContractVersion.objects.count() == 240
    assert ContractVersion.objects.filter(superseded_by=F("recorded_by")).count() == 0
    (last,) = {version.recorded_by_id for version in ContractVersion.objects.current()}
    assert last == Change.objects.order_by("moment").last().pk  # type: ignore[union-attr]


def test_an_import_that_fails_at_its_last_statement_leaves_nothing(imports: Import) -> None:
    rows = [Row(number, each) for number, each in enumerate(FILE, start=2)]
    request = ImportRequest(now=timezone.now(), file_name="contracts.csv", actor="")

    def refuse_the_stamp(execute: Any, sql: str, *rest: Any) -> Any:
        if "UPDATE registry_change" in sql:
            raise KeyboardInterrupt
        return execute(sql, *rest)

    with pytest.raises(KeyboardInterrupt), connection.execute_wrapper(refuse_the_stamp):
        import_file(ContractImporter, rows, request)
    for model in (Contract, ContractVersion, VersionProfile, Change, AuditEntry):
        assert not model._default_manager.exists()


@pytest.mark.django_db(transaction=True)
def test_an_import_that_is_killed_in_the_middle_leaves_nothing(imports: Import, tmp_path: Path) -> None:
    imports([line()])
    path = tmp_path / "contracts.csv"
    path.write_text(text_of([line(reserved_w="1"), *(line(contract_id=f"D-{n}") for n in range(50))]))
    with transaction.atomic():
        Contract.objects.select_for_update().get()
        process = Process("import_contracts", str(path))
        try:
            wait_for("the import's wait for the lock held here", waits_for_this_connection)
        finally:
            process.kill()
    assert Contract.objects.count() == ContractVersion.objects.count() == Change.objects.count() == 1
    imports(path.read_text())
    assert Contract.objects.count() == 51


def waits_for_this_connection() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_the_exit_status_says_whether_it_was_imported(imports: Import, tmp_path: Path) -> None:
    path = tmp_path / "contracts.csv"
    for lines, status, says in (
        ([line(reserved_w="x")], 3, "line 2, column reserved_w: number: not a whole"),
        ([line()], 0, "Contracts new: 1"),
    ):
        path.write_text(text_of(lines))
        process = Process("import_contracts", str(path))
        wait_for("the end of the import", lambda process=process: process.ended)
        assert process.process.returncode == status
        assert says in process.log


def test_statements_do_not_grow_with_the_file(imports: Import, django_assert_max_num_queries: Any) -> None:
    lines = [line(contract_id=f"C-{number}") for number in range(500)]
    for changed in (lines, [{**each, "reserved_w": "1"} for each in lines]):
        with django_assert_max_num_queries(40):
            imports(changed)
    with django_assert_max_num_queries(20):
        imports(changed)


@pytest.mark.parametrize("end", [";", ";;"])
def test_a_file_that_a_spreadsheet_saved_with_empty_columns_at_its_end(imports: Import, end: str) -> None:
    said = imports(text_of([line()], delimiter=";", end=f"{end}\r\n"))
    assert "Contracts new: 1" in said


def test_what_a_spreadsheet_has_rewritten_is_refused_with_what_to_do(imports: Import) -> None:
    lost = "a spreadsheet has rewritten this number, and its last digits are lost; make the file again from its source"
    rewritten = "a spreadsheet has rewritten it; format the column as text, or as YYYY-MM-DD"
    found = faults(
        imports,
        [
            line(contract_id="8.71686E+17"),
            line(contract_id="C-3", start="1-1-2026", end="31/12/2026"),
            line(contract_id="C-4", reserved_w="5.00E+05"),
        ],
    )
    assert [each.partition(": ")[0] for each in found] == [
        "line 2, column contract_id",
        "line 3, column start",
        "line 3, column end",
        "line 4, column reserved_w",
    ]
    for fault, hint in zip(found, (lost, rewritten, rewritten, lost), strict=True):
        assert hint in fault


def test_near_duplicates_of_a_contract_are_pointed_at(imports: Import) -> None:
    """Other leading zeros or another case, in the file or recorded; with another DSO it is another contract."""
    assert "Nearly" not in imports([line(contract_id="123"), line(contract_id="C-7")])
    said = imports([line(contract_id="00123"), line(contract_id="c-007", agr="other.example")], "--dry-run")
    assert (
        "Warning: Nearly the same ContractID: 00123 beside 123 of grid.example, c-007 beside C-7 of grid.example"
    ) in said


@pytest.mark.parametrize("odd", ["C-1\u00a0", "C\u200b1", "C-1\u2028", "C\x7f1"])
def test_E1_an_odd_character_in_a_contract_id_is_named(imports: Import, odd: str) -> None:
    (fault,) = faults(imports, [line(contract_id=odd)])
    assert "U+" in fault
    assert "a ContractID is printable ASCII without white space at its ends." in fault


def test_E1_blanks_around_a_contract_id_are_ignored_in_a_file(imports: Import) -> None:
    imports([line(contract_id="C-1 ")])
    assert Contract.objects.get().contract_id == "C-1"


def test_E1_a_contract_recorded_before_the_rule_can_still_change(imports: Import) -> None:
    imports([line()])
    Contract.objects.update(contract_id="Vertrag ü")
    assert "Contracts changed: 1" in imports([line(contract_id="Vertrag ü", reserved_w="1")])
    assert "Contracts unchanged: 1" in imports([line(contract_id="Vertrag ü", reserved_w="1")])
