"""The embedded server: started by the first, stopped by the last, back after a kill, alone in its folders."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from cro_project.embedded_postgres.places import Places, of_project
from cro_project.embedded_postgres.server import Server

USER = """
    import sys
    sys.path.insert(0, {source!r})
    from pathlib import Path
    from cro_project.embedded_postgres.places import of_project
    from cro_project.embedded_postgres.server import Server
    Server(of_project(Path({project!r}))).join()
    print("joined", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A folder that only its owner may enter, for a project whose server is this test's own."""
    folder = tmp_path / "a private folder"
    folder.mkdir(mode=0o700)
    places = of_project(folder)
    yield folder
    if pid := _postmaster(places):
        os.kill(pid, signal.SIGKILL)
    if places.account:
        shutil.rmtree(places.home, ignore_errors=True)


@pytest.fixture
def places(project: Path) -> Places:
    return of_project(project)


@pytest.fixture
def user(project: Path) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    """Starts a process that uses the server until its input ends; given once it has joined."""
    started: list[subprocess.Popen[str]] = []

    def start() -> "subprocess.Popen[str]":
        code = textwrap.dedent(USER.format(source=str(settings.BASE_DIR), project=str(project)))
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _joined(process: "subprocess.Popen[str]") -> bool:
    assert process.stdout
    return process.stdout.readline() == "joined\n"


def _leaves(process: "subprocess.Popen[str]") -> None:
    process.communicate(timeout=60)
    assert process.returncode == 0


def _postmaster(places: Places) -> int | None:
    """The process id of the server on these places, as the system sees it."""
    for process in psutil.process_iter(["cmdline"]):
        if process.info["cmdline"] and str(places.data) in process.info["cmdline"]:
            return process.pid
    return None


def _wait_until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"still not so after {seconds} seconds"
        time.sleep(0.05)


def _modes(path: Path) -> list[tuple[str, int, int, int]]:
    """Permissions and owners of a folder and of everything above it."""
    return [(str(p), p.stat().st_mode, p.stat().st_uid, p.stat().st_gid) for p in (path, *path.parents)]


def test_first_starts_it_last_stops_it(places: Places, user: Callable[[], "subprocess.Popen[str]"]) -> None:
    first, second = user(), user()
    assert _joined(first)
    assert _joined(second)
    running = _postmaster(places)
    assert running

    _leaves(first)
    assert _postmaster(places) == running
    assert Server(places).answers()

    _leaves(second)
    assert _postmaster(places) is None


def test_many_starting_at_once_share_one(places: Places, user: Callable[[], "subprocess.Popen[str]"]) -> None:
    together = [user() for _ in range(5)]

    assert [_joined(one) for one in together] == [True] * 5
    postmasters = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"] and str(places.data) in process.info["cmdline"]
    ]
    assert len(postmasters) == 1


def test_no_folder_but_its_own_changes(
    project: Path, places: Places, user: Callable[[], "subprocess.Popen[str]"]
) -> None:
    packages = Path(psutil.__file__).parent.parent / "embedded_postgres" / "pginstall" / "bin"
    before = _modes(project) + _modes(packages)
    shared = _modes(places.home.parent.parent) if places.account else []

    process = user()
    assert _joined(process)
    _leaves(process)

    assert _modes(project) + _modes(packages) == before
    if places.account:
        assert _modes(places.home.parent.parent) == shared
        assert list(project.iterdir()) == []
    assert places.data.stat().st_mode & 0o777 == 0o700
    assert places.socket.stat().st_mode & 0o777 == 0o700


def test_it_runs_unprivileged(places: Places, user: Callable[[], "subprocess.Popen[str]"]) -> None:
    assert _joined(user())
    running = _postmaster(places)
    assert running
    assert psutil.Process(running).uids().effective != 0


def test_killed_server_starts_again_with_its_data(
    project: Path, places: Places, user: Callable[[], "subprocess.Popen[str]"]
) -> None:
    import psycopg

    process = user()
    assert _joined(process)
    address = {"host": str(places.socket), "user": "cro", "dbname": "cro"}
    with psycopg.connect(**address, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
    running = _postmaster(places)
    assert running
    os.kill(running, signal.SIGKILL)
    process.kill()
    _wait_until(lambda: _postmaster(places) is None)
    assert (places.data / "postmaster.pid").exists()

    assert _joined(user())

    with psycopg.connect(**address) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (42,)


def test_a_process_that_inherited_the_number_of_a_killed_server_does_not_matter(
    places: Places, user: Callable[[], "subprocess.Popen[str]"]
) -> None:
    process = user()
    assert _joined(process)
    _leaves(process)
    # After a restart of the machine, a process of the same account may have the old server's number.
    account = places.account
    stranger = subprocess.Popen(
        ["sleep", "600"],
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    try:
        lock = f"{stranger.pid}\n{places.data}\n1700000000\n5432\n{places.socket}\n\n 1 1\nready\n"
        for file in (places.data / "postmaster.pid", places.socket / ".s.PGSQL.5432.lock"):
            file.write_text(lock)
            if account:
                os.chown(file, account.uid, account.gid)

        assert _joined(user())
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_user_brings_a_killed_server_back(places: Places) -> None:
    server = Server(places)
    server.join()
    try:
        running = _postmaster(places)
        assert running
        os.kill(running, signal.SIGKILL)
        _wait_until(lambda: not server.answers())

        server.revive()

        assert server.answers()
    finally:
        server.leave()
    assert _postmaster(places) is None


def test_users_that_were_all_killed_leave_a_server_that_the_next_one_joins_and_stops(
    places: Places, user: Callable[[], "subprocess.Popen[str]"]
) -> None:
    killed = user()
    assert _joined(killed)
    running = _postmaster(places)
    killed.kill()
    killed.wait()

    following = user()
    assert _joined(following)
    assert _postmaster(places) == running

    _leaves(following)
    assert _postmaster(places) is None


def test_a_set_up_cut_short_is_done_again(
    places: Places, user: Callable[[], "subprocess.Popen[str]"]
) -> None:
    process = user()
    assert _joined(process)
    _leaves(process)
    places.data.rename(places.home / "data-unfinished")
    (places.home / "data-unfinished" / "global").rename(places.home / "lost")

    assert _joined(user())


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 60) / ("b" * 60)

    assert len(str(of_project(deep).socket / ".s.PGSQL.5432")) < 107
