"""The settlement as CSV: every column, the same bytes for the same moment, filters, streaming, and the command."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry.market.market import set_market
from reservations.contracts.profiles import Profile, Stretch
from reservations.models import Contract
from reservations.settlement.export import (
    HEADINGS,
    NoContractFound,
    export,
    latest_moment,
    power_and_energy,
    select_contracts,
)
from reservations.updates import lifecycle
from tests.reservations.conftest import At
from tests.reservations.dsl import (
    CONTRACT,
    DAY,
    Parties,
    a_contract,
    another_agr,
    clerk,
    send,
    some_parties,
    state,
    update_of,
    update_xml,
)
from tests.support.peer import CRO
from tests.support.processes import environment_here

SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


def written(
    first: date = DAY, last: date | None = None, *, known_at: datetime | None = None, **asked: str
) -> bytes:
    contracts = select_contracts(Contract.objects.all(), **asked)
    return b"".join(export(contracts, first, last or first, known_at=known_at))


def lines(*args: Any, **asked: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written(*args, **asked).decode(), newline="")))


def an_update(parties: Parties, *isps: tuple[int, int, int], **values: Any) -> lifecycle.ReservationUpdate:
    """One that the CRO accepts itself."""
    return update_of(send(parties.dso, update_xml(parties.dso, CRO, *isps, **values)))


def test_a_line_says_everything_about_an_isp(parties: Parties) -> None:
    update = an_update(parties, (39, 2, 2_000), (41, 20, 0), Reference="R-17")
    found = lines()
    assert list(found[0]) == list(HEADINGS)
    assert [int(line["isp"]) for line in found] == list(range(1, 61))
    shared = {
        "dso": parties.dso.domain,
        "agr": parties.agr.domain,
        "contract_id": CONTRACT,
        "congestion_point": "ean.871000000000000013",
        "period": "2026-03-04",
    }
    by = {
        "reference": "R-17",
        "message_id": update.message.message_id,
        "received_at": "2026-03-02T09:00:00+01:00",
    }
    nobody = dict.fromkeys(by, "")
    assert found[0] == {
        **shared,
        "isp": "1",
        "start": "2026-03-04T00:00:00+01:00",
        "contracted_w": "5000",
        "remaining_w": "5000",
        "released_w": "0",
        "contracted_wh": "1250",
        "remaining_wh": "1250",
        "released_wh": "0",
        **nobody,
    }
    assert found[39] == {
        **shared,
        "isp": "40",
        "start": "2026-03-04T09:45:00+01:00",
        "contracted_w": "5000",
        "remaining_w": "2000",
        "released_w": "3000",
        "contracted_wh": "1250",
        "remaining_wh": "500",
        "released_wh": "750",
        **by,
    }
    assert found[59] == {
        **shared,
        "isp": "60",
        "start": "2026-03-04T14:45:00+01:00",
        "contracted_w": "-3000",
        "remaining_w": "0",
        "released_w": "-3000",
        "contracted_wh": "-750",
        "remaining_wh": "0",
        "released_wh": "-750",
        **by,
    }


@pytest.mark.parametrize(
    ("watts", "minutes", "said"),
    [
        (250, 15, "62.5"),
        (1, 15, "0.25"),
        (-3, 15, "-0.75"),
        (1, 5, "0.083"),
        (-1, 5, "-0.083"),
        (2, 20, "0.667"),
        (7, 60, "7"),
        (100, 60, "100"),
        (0, 15, "0"),
        (10**12, 60, "1000000000000"),
    ],
)
def test_energy_is_exact_to_the_thousandth_of_a_watt_hour(watts: int, minutes: int, said: str) -> None:
    contracted, remaining, released = power_and_energy(watts, 0, minutes).split(",")[3:]
    assert (contracted, remaining, released) == (said, "0", said)


def test_what_counts_no_more_is_not_in_it(parties: Parties) -> None:
    update = an_update(parties, (1, 40, 0))
    assert {line["remaining_w"] for line in lines()[:40]} == {"0"}
    lifecycle.record_outcome(update, accepted=False, source=clerk(), expected=state(update))
    assert {line["remaining_w"] for line in lines()[:40]} == {"5000"}
    assert {line["reference"] for line in lines()} == {""}


def test_a_moment_has_the_same_file_whatever_becomes_known_later(parties: Parties, at: At) -> None:
    first = an_update(parties, (1, 4, 1_000))
    moment, known = latest_moment(), written()
    assert moment is not None
    assert written(known_at=moment) == known

    an_update(parties, (1, 8, 500), Reference="later")
    lifecycle.record_outcome(first, accepted=False, source=clerk(), expected=state(first))
    profile = Profile((Stretch(1, 96, 7_000),))
    a_contract(parties.dso, parties.agr, point="ean.871000000000000020", profile=profile)
    another_agr(parties.dso, point="ean.871000000000000037", home="ean.871600000000000031")
    set_market(time_zone="Europe/London", actor="kim", reason="Brexit undone")

    assert written(known_at=moment) == known
    assert written() != known
    assert written(known_at=moment - timedelta(seconds=1, microseconds=1)) != known


def test_a_day_is_settled_by_the_version_of_the_latest_update_that_counts(parties: Parties) -> None:
    an_update(parties, (1, 4, 1_000))
    a_contract(parties.dso, parties.agr, profile=Profile((Stretch(1, 2, 800),)))
    assert [line["contracted_w"] for line in lines()][:5] == ["5000"] * 5
    assert [line["contracted_w"] for line in lines(DAY + timedelta(days=1))] == ["800"] * 2


def test_when_the_clock_goes_forward_an_hour_is_skipped(parties: Parties) -> None:
    starts = [line["start"] for line in lines(SPRING)]
    assert len(starts) == 56  # those of 02:00 to 03:00 by the clock on the wall are not there
    assert starts[7:9] == ["2026-03-29T01:45:00+01:00", "2026-03-29T03:00:00+02:00"]
    assert _evenly(starts)


def test_when_the_clock_goes_back_an_hour_comes_twice(parties: Parties) -> None:
    found = lines(AUTUMN)
    starts = [line["start"] for line in found]
    assert len(starts) == 64
    assert starts[11:13] == ["2026-10-25T02:45:00+02:00", "2026-10-25T02:00:00+01:00"]
    assert _evenly(starts)
    assert found[-1]["isp"] == "64"


def _evenly(starts: list[str]) -> bool:
    moments = [datetime.fromisoformat(start).astimezone(UTC) for start in starts]
    return all(after - before == timedelta(minutes=15) for before, after in pairwise(moments))


def test_isps_of_another_duration(at: At, transactional_db: None) -> None:
    set_market(isp_duration="PT5M", actor="kim", reason="A faster market")
    parties = some_parties()
    profile = Profile((Stretch(1, 288, 1),))
    a_contract(parties.dso, parties.agr, isp_minutes=5, profile=profile)
    found = lines()
    assert [line["contracted_wh"] for line in found] == ["0.083"] * 288
    assert found[-1]["start"] == "2026-03-04T23:55:00+01:00"


def test_texts_are_quoted_and_no_formula_for_a_spreadsheet(parties: Parties) -> None:
    strange = 'a "b", c'
    a_contract(parties.dso, parties.agr, strange)
    an_update(parties, (1, 1, 0), contract_id=strange, Reference="=1+1;,\"'")
    found = lines(contract_id=strange)
    assert {line["contract_id"] for line in found} == {strange}
    assert found[0]["reference"] == "'=1+1;,\"'"
    assert found[0]["remaining_w"] == "0"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_a_reference_with_a_line_end_begins_no_line(parties: Parties, end: str) -> None:
    reference = f"first{end}second"
    an_update(parties, (1, 1, 0), Reference=reference)
    found = lines()
    assert len(found) == 60
    assert found[0]["reference"] == reference


def test_lines_are_in_the_order_of_dso_agr_contract_period_and_isp(parties: Parties) -> None:
    agr = another_agr(
        parties.dso, point="ean.871000000000000037", home="ean.871600000000000031", domain="a.example"
    )
    for contract_id in ("b", "B", "a"):
        a_contract(parties.dso, agr, contract_id, point="ean.871000000000000037")
    found = lines(DAY, DAY + timedelta(days=500))
    keys = [
        (line["dso"], line["agr"], line["contract_id"], line["period"], int(line["isp"])) for line in found
    ]
    assert keys == sorted(keys)
    assert len({key[:3] for key in keys}) == 4
    assert {key[3] for key in keys} == {str(DAY + timedelta(days=number)) for number in range(501)}


def test_contracts_are_chosen_by_dso_agr_and_contract_id(parties: Parties) -> None:
    other = some_parties(dso="dso.example", agr="agr.example")
    a_contract(other.dso, other.agr)
    a_contract(other.dso, other.agr, "only theirs")
    assert {line["dso"] for line in lines()} == {parties.dso.domain, "dso.example"}
    assert {line["dso"] for line in lines(dso="dso.example")} == {"dso.example"}
    assert {line["agr"] for line in lines(agr=parties.agr.domain)} == {parties.agr.domain}
    assert len({line["agr"] for line in lines(contract_id=CONTRACT)}) == 2
    one = lines(dso="dso.example", agr="agr.example", contract_id="only theirs")
    assert {line["contract_id"] for line in one} == {"only theirs"}
    for asked, field in (
        ({"dso": "nobody.example"}, "dso"),
        ({"agr": "dso.example"}, "agr"),
        ({"contract_id": "FLEX"}, "contract"),
        ({"dso": "dso.example", "agr": parties.agr.domain}, "agr"),
        ({"dso": parties.dso.domain, "contract_id": "only theirs"}, "contract"),
    ):
        with pytest.raises(NoContractFound) as refused:
            select_contracts(Contract.objects.all(), **asked)
        assert refused.value.field == field


def test_only_days_in_force_are_in_it_and_no_draft(at: At, transactional_db: None) -> None:
    parties = some_parties()
    a_contract(parties.dso, parties.agr, "draft", state="draft")
    a_contract(parties.dso, parties.agr, "two days", first=DAY, last=DAY + timedelta(days=1))
    found = lines(DAY - timedelta(days=3), date.max)
    assert {(line["contract_id"], line["period"]) for line in found} == {
        ("two days", "2026-03-04"),
        ("two days", "2026-03-05"),
    }


def test_nothing_known_is_a_file_of_headings(at: At, transactional_db: None) -> None:
    assert written().decode() == ",".join(HEADINGS) + "\r\n"


def test_the_first_piece_is_sent_before_the_rest_is_read(parties: Parties) -> None:
    for number in range(5):
        a_contract(parties.dso, parties.agr, f"more {number}")
    pieces = export(Contract.objects.all(), DAY, DAY + timedelta(days=720), known_at=None)
    with CaptureQueriesContext(connection) as first:
        begin = next(pieces)
    with CaptureQueriesContext(connection) as rest:
        others = list(pieces)
    assert begin.startswith(b"dso,agr,")
    assert b"2026-03-04" in begin
    assert b"2027" not in begin
    assert len(others) > 10
    assert max(len(piece) for piece in others) < 200_000
    assert len(first) <= 12
    assert len(rest) > 3 * len(first)


# The command.


def command(*arguments: str) -> tuple[str, str]:
    """Standard output and standard error of `export_reservations`."""
    out, err = io.StringIO(newline=""), io.StringIO()
    call_command("export_reservations", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_says_which_moment_makes_the_same_file(parties: Parties) -> None:
    an_update(parties, (1, 4, 0))
    days = ("--from", "2026-03-04", "--to", "2026-03-06")
    said, told = command(*days)
    assert said.encode() == written(DAY, date(2026, 3, 6))
    moment = told.removeprefix("As known at ").strip()
    an_update(parties, (1, 4, 1_000))
    again, told_again = command(*days, "--known-at", moment)
    assert (again, told_again) == (said, told)
    assert command(*days)[0] != said


def test_the_command_writes_a_whole_file_or_none(parties: Parties, tmp_path: Path) -> None:
    path = tmp_path / "march.csv"
    said, told = command("--from", "2026-03-04", "--to", "2026-03-04", "--output", str(path))
    assert said == ""
    lines = len(path.read_text().splitlines()) - 1
    assert told.startswith(f"{path}: {lines} lines after the header\nAs known at ")
    assert path.read_bytes() == written()
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(CommandError, match="No such file"):
        command("--from", "2026-03-04", "--to", "2026-03-04", "--output", str(tmp_path / "no" / "march.csv"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--to", "2026-03-03"), "--to 2026-03-03 is before --from 2026-03-04"),
        (("--dso", "nobody.example"), "no contract with the DSO nobody.example"),
        (("--agr", "nobody.example"), "no contract with the AGR nobody.example"),
        (("--contract", "FLEX"), "no contract 'FLEX'"),
        (("--known-at", "2126-03-02T10:00:00"), "still to come"),
        (("--from", "4 March"), "'4 March' is not a day"),
    ],
)
def test_the_command_says_what_is_wrong(parties: Parties, arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        command("--from", "2026-03-04", "--to", "2026-03-04", *arguments)


def test_the_command_asks_the_clock_that_stamps_what_becomes_known(parties: Parties, at: At) -> None:
    at("2126-03-02T09:00:00+01:00")
    with pytest.raises(CommandError, match="still to come"):
        command("--from", "2026-03-04", "--to", "2026-03-04", "--known-at", "2126-03-02T07:00:00")


def test_who_reads_no_further_ends_the_command_with_a_line(transactional_db: None, parties: Parties) -> None:
    running = subprocess.Popen(
        [sys.executable, "manage.py", "export_reservations", "--from", "2026-01-01", "--to", "2036-01-01"],
        cwd=settings.BASE_DIR,
        env=environment_here(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdout is not None
    assert running.stdout.readline().startswith(b"dso,agr,")
    running.stdout.close()
    try:
        _, complaints = running.communicate(timeout=60)
    finally:
        running.kill()
    assert complaints == b"CommandError: Standard output was not written completely: Broken pipe.\n"
    assert running.returncode == 1


def test_energy_released_and_remaining_add_up_to_contracted(parties: Parties) -> None:
    """5 minutes of 7 W and of 1 W are not whole thousandths of a Wh; neither is the rest."""
    for contracted, remaining, minutes in (
        (7, 1, 5),
        (10, 5, 5),
        (-7, -1, 5),
        (120_121, 97_130, 15),
        (3, 0, 5),
    ):
        cells = power_and_energy(contracted, remaining, minutes).split(",")
        assert Decimal(cells[3]) == Decimal(cells[4]) + Decimal(cells[5]), cells
    assert power_and_energy(10, 5, 5) == "10,5,5,0.833,0.417,0.416"
