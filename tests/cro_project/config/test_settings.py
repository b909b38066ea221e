"""Every setting: checked at start, with an error that names it, and documented."""

import base64
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from nacl.signing import SigningKey

from cro_project.config import environment
from tests.support.processes import free_port

SOURCE = Path(settings.BASE_DIR) / "cro_project" / "settings.py"
SEED = bytes(range(32))


def read() -> dict[str, Any]:
    """The settings as the environment has them."""
    return runpy.run_path(str(SOURCE))


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("SECRET_KEY", "x" * 31, "32 or more"),
        ("ALLOWED_HOSTS", "https://cro.example", "names alone"),
        ("ALLOWED_HOSTS", "localhost,cro.example/api", "names alone"),
        ("ALLOWED_HOSTS", "cro.example:8000", "names alone"),
        ("DEBUG", "maybe", "true or false"),
        ("PORT", "http", "whole number from 1 to 65535"),
        ("PORT", "70000", "whole number from 1 to 65535"),
        ("CRO_DOMAIN", "CRO.Example", "lower case"),
        ("CRO_DOMAIN", "localhost", "cro.example"),
        ("DATABASE_URL", "sqlite:///db", "postgres://user:password@host:5432/cro"),
        ("DATABASE_URL", "postgres://host:port/x", "postgres://user:password@host:5432/cro"),
        ("DATABASE_URL", "postgres://me:a/b@host/x", "/ as %2F"),
        ("DATABASE_URL", "postgres://me:a?b@host/x", "? as %3F"),
        ("DATABASE_URL", "nonsense", "postgres://user:password@host:5432/cro"),
        ("CRO_PRIVATE_KEY", "c2hvcnQ=", "generate_key"),
        ("CRO_PRIVATE_KEY", "not base64!", "generate_key"),
        ("CRO_PRIVATE_KEY_FILE", "/nowhere/key", "cannot read /nowhere/key"),
        ("CRO_NOW", "yesterday", "2026-03-01T12:00:00+00:00"),
        ("CRO_NOW", "2026-03-01T12:00:00", "no UTC offset"),
        ("CRO_NOW", "2026-03-01T12:00:00Z", "DEBUG"),
        ("UFTP_MAX_MESSAGE_BYTES", "32MB", "whole number"),
        ("UFTP_MAX_MESSAGE_BYTES", "-1", "whole number"),
        ("IMPORT_UPLOAD_MAX_BYTES", "25MB", "whole number"),
        ("IMPORT_UPLOAD_MAX_BYTES", "1000000000", "100000000"),
        ("UFTP_REQUESTS_PER_MINUTE", "0", "whole number"),
        ("UFTP_ALLOW_PRIVATE_ENDPOINTS", "2", "true or false"),
        ("DISCOVERY_DNS", "dns", "true or false"),
        ("DISCOVERY_MAX_PARTICIPANTS", "many", "whole number"),
        ("DELIVERY_TIMEOUT", "1.5", "whole number"),
        ("DELIVERY_RETRY_HOURS", "forever", "whole number"),
        ("OUTBOUND_PROXY", "proxy.example:3128", "http://proxy.example:3128"),
        ("OUTBOUND_PROXY", "socks5://proxy.example", "http://proxy.example:3128"),
        ("CREDENTIALS_KEY", "hunter2", "openssl rand -base64 32"),
        ("CREDENTIALS_KEY", f"{'A' * 43}=,c2hvcnQ=", "key 2 is not"),
        ("TRUSTED_PROXIES", "10.0.0.1,proxy", "'proxy' is neither"),
        ("HTTPS_ONLY", "https", "true or false"),
        ("TWO_FACTOR_REQUIRED", "sometimes", "true or false"),
        ("SITE_URL", "cro.example", "https://cro.example"),
        ("SITE_URL", "https://cro.example/admin/", "https://cro.example"),
        ("EMAIL_PORT", "smtp", "whole number from 1 to 65535"),
        ("EMAIL_TIMEOUT", "600", "whole number from 1 to 60"),
        ("EMAIL_FROM", "CRO <cro@cro.example>", "cro@cro.example"),
        ("EMAIL_USE_TLS", "starttls", "true or false"),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_set(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    if name == "CRO_PRIVATE_KEY_FILE":
        monkeypatch.setenv("CRO_PRIVATE_KEY", "")
    monkeypatch.setenv(name, value)

    with pytest.raises(ImproperlyConfigured) as error:
        read()

    assert str(error.value).startswith(f"{name}: ")
    assert complaint in str(error.value)


@pytest.mark.parametrize("command", ["run", "migrate", "worker", "serve", "list_conflicts"])
def test_a_database_out_of_reach_ends_a_command_with_one_line(command: str) -> None:
    answer = manage(command, DATABASE_URL="postgres://me:hunter2@127.0.0.1:1/x", PORT=str(free_port()))

    assert answer.returncode == 1
    assert answer.stderr.startswith("Error in the settings: DATABASE_URL: the database cannot be reached: ")
    assert "Connection refused" in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert "hunter2" not in answer.stderr


def test_a_password_may_hold_any_character_in_its_percent_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://me:a%40b%2Fc@host/x")

    database = read()["DATABASES"]["default"]

    assert (database["PASSWORD"], database["HOST"], database["NAME"]) == ("a@b/c", "host", "x")


def test_a_reader_that_goes_away_ends_a_command_without_a_word() -> None:
    with subprocess.Popen(
        [sys.executable, "manage.py", "diffsettings", "--all"],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "cro_project.settings", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stdout
        assert command.stderr
        command.stdout.close()

        assert command.stderr.read() == ""


@pytest.mark.parametrize("name", ["CRO_PRIVATE_KEY", "DATABASE_URL", "CREDENTIALS_KEY", "OUTBOUND_PROXY"])
def test_an_error_does_not_show_a_secret(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "postgres://me:hunter2@host:port/x")

    with pytest.raises(ImproperlyConfigured) as error:
        read()

    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    "raw",
    [SEED, bytes(SigningKey(SEED)) + bytes(SigningKey(SEED).verify_key)],
    ids=["seed", "NaCl secret key"],
)
def test_the_private_key_is_taken_in_both_forms(monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    monkeypatch.setenv("CRO_PRIVATE_KEY", base64.b64encode(raw).decode())

    assert read()["CRO_SIGNING_KEY"] == SEED


@pytest.mark.parametrize("form", ["{}", "{}\n", "CRO_PRIVATE_KEY={}\nCRO_PUBLIC_KEY=cs1.AAAA\n"])
def test_the_private_key_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str) -> None:
    file = tmp_path / "key"
    file.write_text(form.format(base64.b64encode(SEED).decode()))
    monkeypatch.setenv("CRO_PRIVATE_KEY", "")
    monkeypatch.setenv("CRO_PRIVATE_KEY_FILE", str(file))

    assert read()["CRO_SIGNING_KEY"] == SEED


def test_two_private_keys_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(base64.b64encode(SEED).decode())
    monkeypatch.setenv("CRO_PRIVATE_KEY_FILE", str(file))

    with pytest.raises(ImproperlyConfigured, match="set one of the two"):
        read()


def test_two_kinds_of_tls_to_the_mail_server_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_USE_TLS", "true")
    monkeypatch.setenv("EMAIL_USE_SSL", "true")
    with pytest.raises(ImproperlyConfigured, match="set one of the two"):
        read()


def test_the_site_is_found_under_the_domain_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRO_DOMAIN", "cro.example")
    monkeypatch.setenv("SITE_URL", "")
    assert read()["SITE_URL"] == "https://cro.example"
    monkeypatch.setenv("SITE_URL", "http://cro.example:8443/")
    assert read()["SITE_URL"] == "http://cro.example:8443"


def test_host_names_are_taken_in_every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["cro.example", ".grid.example", "10.0.0.7", "[::1]", "[fe80::1]", "cro_web-1", "*"]
    monkeypatch.setenv("ALLOWED_HOSTS", ", ".join(given))

    assert read()["ALLOWED_HOSTS"] == given


def test_the_clock_stands_where_debug_allows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", "true")
    monkeypatch.setenv("CRO_NOW", "2026-03-01T13:00:00+01:00")

    assert read()["CRO_NOW"].isoformat() == "2026-03-01T12:00:00+00:00"


def test_without_an_address_the_database_is_the_embedded_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")

    database = read()["DATABASES"]["default"]

    assert database["ENGINE"] == "cro_project.embedded_postgres"
    assert database["CONN_MAX_AGE"] == 60


@pytest.mark.parametrize("missing", ["SECRET_KEY", "CRO_PRIVATE_KEY"])
@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_missing_one_is_asked_for_by_the_processes_that_need_it(missing: str, command: str) -> None:
    answer = manage(command, **{missing: ""})

    assert answer.returncode == 1
    assert answer.stderr.startswith(f"Error in the settings: {missing}: is not set; set it")
    assert answer.stderr.count("\n") == 1


def test_a_wrong_one_ends_a_command_with_one_line() -> None:
    answer = manage("check", PORT="eighty")

    assert answer.returncode == 1
    assert answer.stderr == (
        "Error in the settings: PORT: 'eighty' is not allowed; set a whole number from 1 to 65535\n"
    )


@pytest.mark.parametrize("line", ["SECRET_KEY hunter2", "hunter2", " CRO_DOMAIN=cro.example", "A-B=c"])
def test_a_wrong_line_of_the_file_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    file = tmp_path / ".env"
    file.write_text(f"# for trying\n\n{line}\n")

    with pytest.raises(ImproperlyConfigured) as error:
        environment.read_file(file)

    assert str(error.value).startswith(f"{file}, line 3: is not of the form NAME=value")
    assert "hunter2" not in str(error.value)


def test_a_name_in_the_file_that_is_no_setting_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "export TWO_FACTOR_REQURED=true\n# DATABSE_URL=x\nCRO_DOMAIN=cro.example\nPGSSLMODE=allow\n"
    )
    monkeypatch.setattr(environment, "_in_file", set())
    monkeypatch.setenv("PGSSLMODE", "prefer")
    monkeypatch.setenv("TWO_FACTOR_REQURED", "")

    environment.read_file(file)

    assert [warning.msg for warning in run_checks() if warning.id == "cro_project.W001"] == [
        "TWO_FACTOR_REQURED in .env is not a setting and has no effect."
    ]


@pytest.mark.parametrize("command", ["check", "generate_key"])
def test_other_commands_do_without(command: str) -> None:
    answer = manage(command, SECRET_KEY="", CRO_PRIVATE_KEY="")

    assert answer.returncode == 0, answer.stderr


def test_the_check_for_going_live_has_nothing_to_say() -> None:
    answer = manage(
        "check", "--deploy", "--fail-level=WARNING", HTTPS_ONLY="true", SECRET_KEY="0123456789abcdef" * 4
    )

    assert answer.returncode == 0, answer.stderr


def test_each_setting_is_documented_and_each_documented_one_exists() -> None:
    documented = re.findall(
        r"^\| `([A-Z_]+)` \|", (SOURCE.parent.parent / "docs/settings.md").read_text(), re.M
    )
    existing = re.findall(r'\bsetting\(\s*"([A-Z_]+)"', SOURCE.read_text())

    assert sorted(documented) == sorted(existing)


def manage(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a command with these variables; an empty one counts as unset, whatever `.env` says."""
    variables = {
        "DJANGO_SETTINGS_MODULE": "cro_project.settings",
        "DJANGO_ALLOW_ASYNC_UNSAFE": "",  # set in this process by the fixture of the browser
        **variables,
    }
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
