"""The benchmarks run through, at sizes at which their figures mean nothing."""

import os
import re
import subprocess
import sys
from math import isfinite
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from benchmarks.databases import PREFIX
from tests.interop.running import database_url

SIZES = ["--connections", "300", "--registered", "2000", "--messages", "24", "--runs", "1"]
NAMES = [f"B{number}" for number in range(1, 12)]


def bench(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmarks on the server that the tests use, writing to `page`."""
    given = connection.settings_dict
    places = {key.lower(): given.get(key) or None for key in ("HOST", "PORT", "USER", "PASSWORD")}
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *SIZES, "--output", str(page), *options],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": database_url("postgres", **places)},
        capture_output=True,
        text=True,
    )


def left_behind() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [PREFIX])
        return [name for (name,) in cursor.fetchall()]


@pytest.mark.django_db
def test_every_figure_is_measured_printed_and_written_down(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("# Performance\n\n<!-- make bench: begin -->\n<!-- make bench: end -->\n\nStays.\n")
    before = left_behind()

    ran = bench(page)

    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    written = page.read_text()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in written.splitlines()
        if line.startswith("| B")
    ]
    assert sorted({row[0] for row in rows}) == sorted(NAMES)
    for row in rows:
        measured = float(re.sub(r"[^0-9.].*", "", (row[4] or row[2]).replace(",", "")))
        assert isfinite(measured), row
        assert measured > 0 or row[4] == "0.00 ×", row
        assert row[1] in ran.stdout
    assert "PostgreSQL" in written
    assert str(settings.BASE_DIR) not in written
    assert written.endswith("Stays.\n")
    assert "<svg" in (tmp_path / "images" / "cost-of-an-update.svg").read_text()
    assert left_behind() == before


@pytest.mark.django_db
def test_the_large_run_writes_its_own_part(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("# Performance\n\n<!-- make bench: begin -->\nfigures\n<!-- make bench: end -->\n")

    ran = bench(page, "--large")

    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    written = page.read_text()
    assert "<!-- make bench: begin -->\nfigures\n<!-- make bench: end -->" in written
    assert "| B9 |" in written
    assert "nothing changed, 2,000 registered" in written
    assert "<svg" in (tmp_path / "images" / "cost-by-registered.svg").read_text()
