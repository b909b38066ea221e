"""Secrets that the documents make do not lie untracked, and the log says what the handbook says."""

import logging
import re
import subprocess
from pathlib import Path

import psutil
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from tests.support.polling import wait_for
from tests.support.processes import serving, working

ROOT = Path(settings.BASE_DIR)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
@pytest.mark.parametrize(
    "name", [".env", ".env.production", "cro.env", "agr.py", "dso.py", "cro.key", "cro.pem"]
)
def test_a_file_with_a_private_key_is_ignored_by_git(name: str) -> None:
    assert subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT).returncode == 0


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_nothing_that_belongs_to_the_project_is_ignored() -> None:
    ignored = subprocess.run(
        ["git", "ls-files", "--ignored", "--cached", "--exclude-standard"], cwd=ROOT, capture_output=True
    )
    assert ignored.stdout == b""


def log_in(client: Client, name: str, password: str) -> None:
    client.post("/admin/login/", {"username": name, "password": password}, REMOTE_ADDR="203.0.113.7")


@pytest.mark.django_db
def test_log_ins_and_log_outs_are_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    User.objects.create_superuser("kim", password="right password")
    log_in(client, "kim", "wrong password")
    log_in(client, "my secret password", "kim")
    log_in(client, "kim", "right password")
    client.post("/admin/logout/", REMOTE_ADDR="203.0.113.7")
    lines = [record.getMessage() for record in caplog.records if record.name == "cro_project.login.log"]
    assert lines == [
        "A log-in failed from 203.0.113.7, for kim.",
        "A log-in failed from 203.0.113.7, for an unknown user name.",
        "kim logged in from 203.0.113.7.",
        "kim logged out from 203.0.113.7.",
    ]
    assert "password" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_the_start_and_the_stop_of_the_worker_are_logged() -> None:
    with working("--until-idle") as worker:
        assert worker.process.wait(60) == 0, worker.log
        assert "INFO uftp.worker.main: Started: handling up to 6 inboxes at a time." in worker.log
        assert "INFO uftp.worker.main: Stopped." in worker.log


@pytest.mark.django_db(transaction=True)
def test_every_line_of_the_web_process_has_time_level_and_source() -> None:
    with serving() as web:
        wait_for("the web processes", lambda: len(psutil.Process(web.process.pid).children()) == 2)
        psutil.Process(web.process.pid).children()[-1].kill()
        wait_for(f"the line\n{web.log}", lambda: "ERROR _granian: Unexpected exit from worker-" in web.log)
        assert web.stop() == 0
        line = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ [\w.]+: .+"
        assert [text for text in web.log.splitlines() if not re.fullmatch(line, text)] == []
