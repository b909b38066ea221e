"""Bodies of requests from nobody who has logged in: refused by their length, before anything of them is read."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from cro_project.web.body_limit import ANONYMOUS_BYTES
from tests.support.peer import post
from tests.support.processes import serving

MULTIPART = "multipart/form-data; boundary=x"
PATHS = [
    "/admin/login/",
    "/admin/registry/importrun/add/",
    "/health/live",
    "/shapeshifter/other",
    "/static/x.css",
]


class CountedBody(io.BytesIO):
    """A body that counts how often it was read."""

    reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self.reads += 1
        return super().read(size)


def send(client: Client, path: str, body: CountedBody, **environment: Any) -> Any:
    more = {"wsgi.input": body, "CONTENT_TYPE": MULTIPART, **environment}
    return client.generic("POST", path, b"", **more)


@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
def test_a_long_body_of_a_stranger_is_refused_before_it_is_read(client: Client, path: str) -> None:
    body = CountedBody(b"x" * (ANONYMOUS_BYTES + 1))

    answer = send(client, path, body, CONTENT_LENGTH=str(len(body.getvalue())))

    assert (answer.status_code, body.reads) == (413, 0)
    text = b"".join(answer.streaming_content).decode()
    assert text == "100001 bytes are too many before the log-in: at most 100000 are taken; log in first\n"


@pytest.mark.django_db
def test_a_body_of_no_stated_length_is_not_read_at_all() -> None:
    """A chunked one. To Django it is empty, so the token of the form is missing."""
    body = CountedBody(b"x" * 1_000_000)

    answer = send(Client(enforce_csrf_checks=True), "/admin/login/", body, CONTENT_LENGTH="")

    assert (answer.status_code, body.reads) == (403, 0)


@pytest.mark.django_db
def test_a_body_below_the_limit_is_a_form(client: Client) -> None:
    answer = client.post("/admin/login/", {"username": "x" * 90_000, "password": "x"})

    assert answer.status_code == 200


def test_what_staff_upload_has_its_own_limit(admin_client: Client) -> None:
    file = io.BytesIO(b"x" * (ANONYMOUS_BYTES + 1))

    answer = admin_client.post("/admin/registry/importrun/add/", {"file": file})

    assert answer.status_code == 200
    assert b"Upload a file" in answer.content


@pytest.mark.django_db(transaction=True)
def test_60_mb_to_the_log_in_get_their_answer_and_fill_no_memory(tmp_path: Path) -> None:
    """The answer arrives although its sender goes on sending."""
    with serving("--workers", "1", TMPDIR=str(tmp_path)) as web:
        before = web.memory()
        answer = post(web.port, b"x" * 60_000_000, path="/admin/login/", headers={"Content-Type": MULTIPART})
        assert answer.status == 413
        assert web.memory() - before < 20_000_000
    assert not list(tmp_path.iterdir())
