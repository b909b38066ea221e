"""The Content-Security-Policy: as strict as can be, and no page asks for more than it allows."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import NoReverseMatch, reverse

from tests.browser.support import market as markets
from tests.support.otp_app import Telephone

pytestmark = pytest.mark.django_db(transaction=True)

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
}

FORBIDDEN = {
    "a style attribute": re.compile(r"<[a-z][^>]*\sstyle\s*=", re.I),
    "a <style>": re.compile(r"<style\b", re.I),
    "an inline script": re.compile(r"<script\b(?![^>]*\bsrc=)", re.I),
    "an inline handler": re.compile(r"<[a-z][^>]*\son[a-z]+\s*=\s*[\"']", re.I),
    "a javascript: address": re.compile(r"(?:href|src|action)\s*=\s*[\"']\s*javascript:", re.I),
    "a source elsewhere": re.compile(
        r"<(?:script|img|iframe|object|embed|source)\b[^>]*\b(?:src|data)\s*=\s*[\"'](?:https?:)?//", re.I
    ),
    "a style sheet elsewhere": re.compile(r"<link\b[^>]*\bhref\s*=\s*[\"'](?:https?:)?//", re.I),
    "a form that leads elsewhere": re.compile(r"<form\b[^>]*\baction\s*=\s*[\"'](?:https?:)?//", re.I),
}
DATA = re.compile(r"<script\b[^>]*type=[\"']application/json[\"'][^>]*>.*?</script>", re.I | re.S)
"""A script element that holds data runs nothing."""


def forbidden_in(page: str) -> list[str]:
    """What of the forbidden there is on `page`, each with where."""
    page = DATA.sub("", page)
    return [f"{what}: {found[0][:150]}" for what, form in FORBIDDEN.items() if (found := form.search(page))]


def test_what_is_forbidden_would_be_found() -> None:
    for text in (
        '<p class="a" style="color: red">',
        "<style>p {}</style>",
        "<script>alert(1)</script>",
        '<button onclick="go()">',
        '<a href="javascript:void(0)">',
        '<script src="https://elsewhere.example/x.js"></script>',
        '<link rel="stylesheet" href="//elsewhere.example/x.css">',
    ):
        assert forbidden_in(text), text
    assert forbidden_in('<script src="/static/x.js"></script><p>style="x" on=1</p>') == []


def pages_of_tables() -> Iterator[tuple[str, str]]:
    """Name and address of every page of every table, those of a row for its first row."""
    for model, model_admin in admin.site._registry.items():
        row = model._default_manager.order_by("pk").first()
        for pattern in model_admin.urls:
            name = getattr(pattern, "name", None)
            if name is None:
                continue
            wanted = list(pattern.pattern.converters)
            key: Any = row.pk if row is not None else None
            if wanted and key is None:
                continue
            try:
                yield name, reverse(f"admin:{name}", kwargs=dict.fromkeys(wanted, key))
            except NoReverseMatch:
                continue


def test_no_page_of_staff_asks_for_more_than_the_policy_allows(
    client: Client, market_of_messages: markets.Market
) -> None:
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    own = ["index", "password_change", "two_factor", "two_factor_set_up"]
    pages = [*((name, reverse(f"admin:{name}")) for name in own), *pages_of_tables()]
    wrong, seen = [], 0
    for name, page in pages:
        answer = client.get(page)
        if answer.status_code != 200 or not answer["Content-Type"].startswith("text/html"):
            continue
        seen += 1
        assert set(answer["Content-Security-Policy"].split("; ")) == POLICY, page
        wrong += [f"{name} {page}: {use}" for use in forbidden_in(answer.content.decode())]

    assert not wrong, "\n".join(wrong)
    assert seen > 40


def test_no_page_of_the_log_in_asks_for_more(
    client: Client, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.TWO_FACTOR_REQUIRED = True
    User.objects.create_superuser("kim", password="right-kim")
    telephone = Telephone(monkeypatch)
    answers = [client.get("/admin/login/")]
    given = {"username": "kim", "password": "right-kim"}
    answers += [client.post("/admin/login/", {**given, "password": "wrong"})]
    answers += [client.post("/admin/login/", given, follow=True)]
    telephone.take_over(answers[-1].content.decode())
    answers += [client.post("/admin/login/set_up/", {"code": telephone.code()}, follow=True)]
    answers += [client.get("/admin/two_factor/"), client.get("/admin/two_factor/renew_codes/")]
    answers += [client.post("/admin/logout/")]
    answers += [client.post("/admin/login/", given, follow=True)]
    for answer in answers:
        assert answer.status_code == 200
        assert set(answer["Content-Security-Policy"].split("; ")) == POLICY
        assert forbidden_in(answer.content.decode()) == []


@pytest.fixture
def market_of_messages(transactional_db: None, settings: Any) -> markets.Market:
    return markets.market()
