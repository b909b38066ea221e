"""The programs of README.md, as a new user saves and runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings
from nacl.bindings import crypto_sign_keypair

from tests.interop.running import RunningCro
from tests.support.polling import wait_for
from tests.support.processes import free_port

README = (Path(settings.BASE_DIR) / "README.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:{}/shapeshifter/api/v3/message"

Run = Callable[[str, str, str, int], Path]


@pytest.fixture
def run(cro: RunningCro, tmp_path: Path) -> Iterator[Run]:
    """Registers a participant as README.md says, and runs its program; what it prints is in the file."""
    with ExitStack() as started:

        def run(role: str, domain: str, program: str, written_port: int) -> Path:
            public, private = crypto_sign_keypair()
            port, name = free_port(), role.lower()
            for written, own in (
                ("http://127.0.0.1:8000/", f"{cro.url}/"),
                (f"port={written_port}", f"port={port}"),
            ):
                assert written in program
                program = program.replace(written, own)
            assert ADDRESS.format(written_port) in README
            cro.manage(
                *("add_participant", "--role", role, "--domain", domain),
                *("--public-key", f"cs1.{b64encode(public).decode()}", "--endpoint", ADDRESS.format(port)),
            )
            file, printed = tmp_path / f"{name}.py", tmp_path / f"{name}.txt"
            file.write_text(program)
            keys = {f"{role}_PRIVATE_KEY": b64encode(private).decode(), "CRO_KEY": cro.manage("public_key")}
            process = subprocess.Popen(
                [sys.executable, "-u", str(file)],
                env={**os.environ, **keys},
                stdin=subprocess.PIPE,
                stdout=started.enter_context(printed.open("wb")),
                stderr=subprocess.STDOUT,
            )
            started.callback(
                lambda: print(f"{name}.py printed:\n{printed.read_text()}")
            )  # shown if the test fails
            started.callback(process.wait, 30)
            started.callback(process.kill)
            started.callback(process.communicate, b"\n", 30)
            return printed

        yield run


def test_the_programs_of_the_readme_print_what_it_says(cro: RunningCro, run: Run) -> None:
    agr, dso = PROGRAMS

    printed = run("AGR", "agr.example", agr, 8101)
    wait_for("the AGR's answer", lambda: "AgrPortfolioUpdateResponse Accepted" in printed.read_text(), 30)
    printed = run("DSO", "dso.example", dso, 8102)
    wait_for(
        "the DSO's answers",
        lambda: "ean.871685900000000011 agr.example" in printed.read_text(),
        30,
    )

    assert "DsoPortfolioUpdateResponse Accepted" in printed.read_text()
    assert "DsoPortfolioQueryResponse Accepted" in printed.read_text()
    assert "Traceback" not in printed.read_text()
