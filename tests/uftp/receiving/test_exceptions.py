"""Every exception of a request becomes a status and one plain line."""

import logging
from typing import Any

import pytest
from django.db import OperationalError
from django.test import RequestFactory
from rest_framework.exceptions import MethodNotAllowed, NotAuthenticated, ParseError

from uftp.receiving.exceptions import Refused, answer_exception
from uftp.receiving.views import MessageView

TROUBLE = b"the CRO is in trouble: send the message again later\n"


def context() -> dict[str, Any]:
    request = RequestFactory().post("/shapeshifter/api/v3/message", b"<x/>", content_type="text/xml")
    return {"request": MessageView().initialize_request(request), "kwargs": {"major": 3}}


@pytest.mark.parametrize(
    "exception",
    [
        OperationalError("password=secret"),
        RuntimeError("secret"),
        ParseError("secret"),
        NotAuthenticated("secret"),
    ],
)
def test_an_error_of_ours_is_503_and_says_no_more(
    exception: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    answer: Any = answer_exception(exception, context())

    assert (answer.status_code, answer.content) == (503, TROUBLE)
    assert int(answer["Retry-After"]) > 0
    assert "secret" in caplog.text


def test_an_error_of_ours_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("a fault")

    try:
        fail()
    except RuntimeError as error:
        answer_exception(error, context())

    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "in fail" in caplog.text


def test_a_method_is_405_with_what_is_allowed() -> None:
    answer: Any = answer_exception(MethodNotAllowed("GET"), context())

    assert (answer.status_code, answer.content) == (405, b"POST a SignedMessage here\n")
    assert answer["Allow"] == "POST"


def test_a_refusal_is_one_line_whatever_it_quotes() -> None:
    answer: Any = answer_exception(Refused(429, "one\r\ntwo\n" + "x" * 600, retry_after=7), context())

    assert answer.content.startswith(b"one two xxx")
    assert answer.content.count(b"\n") == 1
    assert len(answer.content) == 501
    assert answer["Retry-After"] == "7"
