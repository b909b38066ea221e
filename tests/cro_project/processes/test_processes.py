"""`run` and `serve` as processes: started, killed, stopped."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured

from cro_project.config import environment
from cro_project.processes import first_start
from tests.support.processes import free_port

SECONDS = 60


@dataclass
class Running:
    """A `manage.py` command as its own process, with what it has printed."""

    process: "subprocess.Popen[bytes]"
    printed: Path

    @property
    def output(self) -> str:
        return self.printed.read_text()

    def ends(self) -> int:
        """Wait for its end; its exit code."""
        return self.process.wait(timeout=SECONDS)


Start = Callable[..., Running]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def start(transactional_db: None, tmp_path: Path) -> Iterator[Start]:
    """Starts `manage.py` with these arguments on the test database; after the test ends all it started."""
    started: list[Running] = []

    def begin(*arguments: str, port: int) -> Running:
        printed = tmp_path / f"output-{len(started)}"
        variables = {
            "DJANGO_SETTINGS_MODULE": "tests.processes",
            "TEST_DATABASE": settings.DATABASES["default"]["NAME"],
            "PORT": str(port),
        }
        with printed.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=settings.BASE_DIR,
                env={**os.environ, **variables},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        started.append(Running(process, printed))
        return started[-1]

    yield begin
    for running in started:
        for member in [*_descendants(running.process.pid), running.process]:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        running.process.wait()


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _children_of(port: int) -> list[psutil.Process]:
    """The processes whose environment names this port: those of one test."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.environ().get("PORT") == str(port):
                found.append(process)
    return found


def _status(port: int, path: str) -> int | None:
    """The status that this address answers, or None where nothing listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return None


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"still not so after {SECONDS} seconds"
        time.sleep(0.1)


def _gone(processes: list[psutil.Process]) -> bool:
    return not any(map(_alive, processes))


def _alive(process: psutil.Process) -> bool:
    """Return whether a process runs. It may end while it is looked at."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _ready(start: Start, port: int) -> tuple[Running, list[psutil.Process]]:
    """A `run` that has said it is ready, and every process it started."""
    run = start("run", port=port)
    _wait_until(lambda: "Ctrl-C stops everything" in run.output or run.process.poll() is not None)
    assert run.process.poll() is None, run.output
    return run, _descendants(run.process.pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_run_gets_ready_and_stops_everything_on(start: Start, port: int, number: signal.Signals) -> None:
    run, family = _ready(start, port)
    assert len(family) >= 4
    assert _status(port, "/health/ready") == 200

    run.process.send_signal(number)

    assert run.ends() == 0, run.output
    _wait_until(lambda: _gone(family))
    assert f"http://127.0.0.1:{port}/admin/" in run.output
    assert run.output.count("cs1.") == 1
    assert "WARNING" not in run.output
    assert run.output.endswith("Stopped.\n")


def test_the_log_in_is_printed_by_the_first_start_only(start: Start, port: int) -> None:
    first, _ = _ready(start, port)
    assert "Log in with  admin / " in first.output
    first.process.terminate()
    first.ends()

    second, _ = _ready(start, port)

    assert "Log in" not in second.output


def test_a_start_that_is_interrupted_has_printed_the_log_in(start: Start, port: int) -> None:
    run = start("run", port=port)
    _wait_until(lambda: "Log in with" in run.output or run.process.poll() is not None)

    run.process.send_signal(signal.SIGINT)

    run.ends()
    assert "is ready." not in run.output
    printed = re.search(r"Log in with admin / (\S+);", run.output)
    assert printed, run.output
    assert get_user_model().objects.get(username="admin").check_password(printed[1])


def test_no_account_is_stored_whose_password_was_not_printed(db: None) -> None:
    def interrupted(password: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first_start.create_admin(interrupted)

    assert not get_user_model().objects.exists()


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_run_stops_the_rest_and_says_so_when_a_child_dies(start: Start, port: int, command: str) -> None:
    run, family = _ready(start, port)

    next(p for p in psutil.Process(run.process.pid).children() if command in p.cmdline()).kill()

    assert run.ends() == 1
    assert "ended by itself (killed by SIGKILL); all was stopped" in run.output
    _wait_until(lambda: _gone(family))


def test_nothing_outlives_a_killed_run(start: Start, port: int) -> None:
    run, family = _ready(start, port)

    run.process.kill()

    _wait_until(lambda: _gone(family))


@pytest.mark.parametrize("children", [1, 2])
@pytest.mark.parametrize("round_", range(3))
def test_no_web_process_outlives_a_serve_killed_while_it_starts(
    start: Start, port: int, children: int, round_: int
) -> None:
    """Killed as soon as there are so many web processes, which have read nothing yet."""
    serve = start("serve", "--workers", "2", port=port)
    deadline = time.monotonic() + SECONDS
    while len(family := _descendants(serve.process.pid)) < children:
        assert time.monotonic() < deadline
        assert serve.process.poll() is None, serve.output

    serve.process.kill()

    family += [child for child in _children_of(port) if child not in family]
    assert len(family) >= children
    _wait_until(lambda: _gone(family))
    serve.process.wait()
    assert _status(port, "/health/live") is None


def test_a_process_whose_parent_died_before_it_looked_ends(start: Start, port: int) -> None:
    """Its parent has said who it was."""
    died = subprocess.Popen([sys.executable, "-c", ""])
    died.wait()

    assert start("serve", f"--with-parent={died.pid}", port=port).ends() == -signal.SIGTERM
    assert start("worker", f"--with-parent={died.pid}", port=port).ends() == -signal.SIGTERM


@pytest.mark.parametrize("command", ["run", "serve"])
def test_a_taken_port_is_named(start: Start, port: int, command: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()

        refused = start(command, port=port)

        assert refused.ends() == 1
    assert refused.output.startswith(f"CommandError: cannot listen on 127.0.0.1:{port}: the port is taken")


def test_a_killed_web_process_is_replaced(start: Start, port: int) -> None:
    serve = start("serve", port=port)
    _wait_until(lambda: _status(port, "/health/live") == 200)

    def workers() -> list[psutil.Process]:
        return [child for child in psutil.Process(serve.process.pid).children() if _alive(child)]

    _wait_until(lambda: len(workers()) == 2)
    victim = workers()[0]
    victim.kill()

    _wait_until(lambda: victim not in workers() and len(workers()) == 2)
    _wait_until(lambda: _status(port, "/health/live") == 200)
    assert serve.process.poll() is None


def test_idle_connections_keep_nobody_from_being_answered(start: Start, port: int) -> None:
    serve = start("serve", port=port)
    _wait_until(lambda: _status(port, "/health/live") == 200)

    with ExitStack() as idle:
        for number in range(300):
            connection = idle.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            if number % 2:
                connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert connection.recv(100).startswith(b"HTTP/1.1 200")

        assert [_status(port, "/health/live") for _ in range(20)] == [200] * 20

        serve.process.terminate()
        assert serve.ends() == 0, serve.output


def test_the_first_start_makes_a_private_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = ["SECRET_KEY", "CRO_PRIVATE_KEY", "CREDENTIALS_KEY", "UFTP_ALLOW_PRIVATE_ENDPOINTS"]
    for name in (*made, "CRO_PRIVATE_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / ".env"
    file.write_text("CRO_DOMAIN=cro.test")

    assert first_start.write_environment(file)

    values = dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
    assert list(values) == ["CRO_DOMAIN", *made]
    assert len(environment.encryption_keys(values["CREDENTIALS_KEY"])) == 1
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["SECRET_KEY", "CRO_PRIVATE_KEY"])
@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_setting_is_named_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, empty: str
) -> None:
    monkeypatch.setenv(name, empty)

    with pytest.raises(ImproperlyConfigured, match=f"{name}: is empty"):
        first_start.write_environment(tmp_path / ".env")

    assert not (tmp_path / ".env").exists()


def test_a_complete_environment_needs_no_file(tmp_path: Path) -> None:
    assert not first_start.write_environment(tmp_path / ".env")
    assert not (tmp_path / ".env").exists()
