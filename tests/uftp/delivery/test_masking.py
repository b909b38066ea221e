"""Credentials in what outsiders reply: masked, however they are written."""

import html
import json
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uftp.delivery.masking import MASK, masked

TOKEN = "eyJhbGciOi.J+a/b~c=="


@pytest.mark.parametrize(
    "written",
    [
        TOKEN,
        TOKEN.upper(),
        json.dumps(TOKEN)[1:-1].replace("/", r"\/"),
        quote(TOKEN, safe=""),
        html.escape(TOKEN).replace("+", "&#43;").replace("=", "&#x3D;"),
        TOKEN.replace("=", r"\u003d"),
    ],
)
def test_a_credential_is_masked_however_it_is_escaped(written: str) -> None:
    text = masked(f"401: {written} is not valid, {written}", [TOKEN])
    assert text == f"401: {MASK} is not valid, {MASK}"


def test_the_beginning_of_a_credential_at_the_end_of_a_cut_text_is_masked() -> None:
    assert masked("Bearer eyJhbGciOi.J+", [TOKEN]) == f"Bearer {MASK}"
    assert masked("Bearer eyJh", [TOKEN]) == "Bearer eyJh"


def test_the_longest_credential_is_masked_first_and_an_empty_one_never() -> None:
    assert masked("abc-secret and secret", ["", "secret", "abc-secret"]) == f"{MASK} and {MASK}"


@given(st.text(min_size=1, max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_no_text_holds_a_credential_afterwards(credential: str, before: str, after: str) -> None:
    text = masked(before + credential + after, [credential])
    assert not any(credential in piece for piece in text.split(MASK))


@pytest.mark.parametrize(
    ("credential", "text"),
    [
        (" " * 40 + "x", " " * 100_000),
        ("-" * 40 + "x", "-" * 100_000),
        ("\\" * 40 + "x", "\\" * 100_000),
        ("%" * 40 + "x", "%25" * 30_000),
        ("&" * 40 + "x", "&amp;" * 30_000),
        ("e" * 60_000 + "x", "e" * 100_000),
    ],
)
def test_no_reply_makes_the_search_slow(credential: str, text: str) -> None:
    began = time.process_time()
    masked(text, [credential])
    assert time.process_time() - began < 2
