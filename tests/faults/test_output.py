"""Standard output that is full or closed, and Ctrl-C while the modules are loaded: a line, and no traceback."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from django.core.management import get_commands

from participants.models import Participant
from registry.models import ImportRun, Representation
from tests.support.polling import wait_for
from tests.support.processes import Process

pytestmark = pytest.mark.django_db(transaction=True)

Output = Callable[[], AbstractContextManager[int]]

WITHIN = 60.0
GOOD = "agr,connection,start,end\nagr.example,ean.000000000000000017,2030-01-01,\n"
BAD = "agr.example,ean.1,2026-13-01,\n"
EXPORTS = sorted(name for name in get_commands() if name.startswith("export_"))
OPTIONS = {"export_reservations": ["--from", "2026-01-01", "--to", "2026-01-02"]}

BUFFERED = pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that can be imported."""
    for role, domain in (("DSO", "grid.example"), ("AGR", "agr.example")):
        Participant.objects.create(role=role, domain=domain)
    path = tmp_path / "good.csv"
    path.write_text(GOOD)
    return path


@contextmanager
def full() -> Iterator[int]:
    """Standard output on a disk without room."""
    with Path("/dev/full").open("wb") as device:
        yield device.fileno()


@contextmanager
def closed() -> Iterator[int]:
    """Standard output into a pipe whose reader has gone."""
    read, write = os.pipe()
    os.close(read)
    try:
        yield write
    finally:
        os.close(write)


OUTPUTS = pytest.mark.parametrize(
    ("output", "why"), [(full, "No space left on device"), (closed, "Broken pipe")], ids=["full", "closed"]
)


def ended(*arguments: str, output: int | None = None, **environment: str) -> tuple[int, str]:
    """The exit status of the command, and what it said beside its standard output."""
    process = Process(*arguments, output=output, **environment)
    try:
        wait_for("the command's end", lambda: process.ended, WITHIN)
    finally:
        process.kill()
    return int(process.process.returncode), process.log


@OUTPUTS
@BUFFERED
def test_what_was_imported_is_said_where_its_summary_cannot_be_written(
    output: Output, why: str, unbuffered: str, file: Path
) -> None:
    for options, content, status, end in (
        (["--dry-run"], GOOD, 0, "A dry run, which changed nothing"),
        ([], GOOD, 0, "Imported"),
        ([], GOOD, 0, "Nothing to change"),
        (
            ["--skip-bad-lines"],
            GOOD.replace("ean.000000000000000017", "ean.000000000000000024") + BAD,
            4,
            "Imported",
        ),
    ):
        file.write_text(content)
        with output() as descriptor:
            outcome = ended(
                "import_connections", str(file), *options, output=descriptor, PYTHONUNBUFFERED=unbuffered
            )
        run = ImportRun.objects.latest("pk")
        said = ["reading", "checking", "comparing", "writing"]
        said += [f"{end}, as run {run.pk}; the summary could not be written: {why}"]
        if status == 4:
            assert outcome[1].endswith("\nBad lines that were skipped: 1.\n")
        assert (outcome[0], outcome[1].splitlines()[: 5 if status == 4 else None]) == (status, said)
        assert "Traceback" not in outcome[1]
        assert "Exception ignored" not in outcome[1]
    assert Representation.objects.count() == 2


@OUTPUTS
@BUFFERED
@pytest.mark.parametrize("command", EXPORTS)
def test_an_export_that_cannot_be_written_says_so(
    command: str, output: Output, why: str, unbuffered: str
) -> None:
    with output() as descriptor:
        outcome = ended(command, *OPTIONS.get(command, []), output=descriptor, PYTHONUNBUFFERED=unbuffered)
    assert outcome == (1, f"CommandError: Standard output was not written completely: {why}.\n")


@pytest.mark.parametrize("arguments", [("help",), ("set_policy",)])
def test_any_other_command_says_that_the_disk_is_full(arguments: tuple[str, ...]) -> None:
    with full() as descriptor:
        outcome = ended(*arguments, output=descriptor)
    assert outcome == (1, "Error: No space left on device.\n")


INTERRUPTER = """
import os, signal, sys

class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPTED_AT"]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupter())
"""


@pytest.mark.parametrize(
    "module",
    [
        "django",
        "django.core.management",
        "cro_project.settings",
        "registry.models",
        "registry.management.commands.import_connections",
    ],
)
def test_ctrl_c_while_the_modules_are_loaded_stops_it_with_a_word(
    module: str, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTER)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    outcome = ended("import_connections", str(file), PYTHONPATH=path, INTERRUPTED_AT=module)
    assert outcome == (130, "Stopped.\n")
    assert not ImportRun.objects.exists()
