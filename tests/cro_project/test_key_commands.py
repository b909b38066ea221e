"""The commands that make and show the CRO's key."""

import base64
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from nacl.signing import SigningKey

from cro_project.config.environment import signing_seed


def printed(command: str) -> list[str]:
    out = StringIO()
    call_command(command, stdout=out)
    return out.getvalue().splitlines()


def test_generate_key_prints_a_pair_that_belongs_together() -> None:
    private, public = printed("generate_key")

    seed = signing_seed(private.removeprefix("CRO_PRIVATE_KEY="))
    verifying = base64.b64encode(bytes(SigningKey(seed).verify_key)).decode()
    assert private.startswith("CRO_PRIVATE_KEY=")
    assert public == f"CRO_PUBLIC_KEY=cs1.{verifying}"


def test_generate_key_never_prints_the_same_twice() -> None:
    assert printed("generate_key") != printed("generate_key")


def test_public_key_is_alone_on_its_line() -> None:
    assert settings.CRO_SIGNING_KEY
    verifying = base64.b64encode(bytes(SigningKey(settings.CRO_SIGNING_KEY).verify_key)).decode()

    assert printed("public_key") == [f"cs1.{verifying}"]


@pytest.mark.parametrize("command", ["generate_key", "public_key"])
def test_the_database_is_not_asked(command: str) -> None:
    # pytest-django fails a test that touches the database without being marked for it.
    assert printed(command)


def test_generate_key_says_what_it_is_for_beside_its_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    out = StringIO()
    call_command("generate_key", stdout=out)
    assert len(out.getvalue().splitlines()) == 2
    assert "a key pair for this CRO, and for no participant" in capsys.readouterr().err
