"""Every list of the console on a desk, and those that no other walk comes by, four ways."""

import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from registry.market.policies import set_policy
from tests.browser.conftest import LogIn
from tests.browser.support.looking import look
from tests.browser.support.market import Market
from uftp.models import OtherUnknownSenders, UnknownSender

pytestmark = pytest.mark.django_db(transaction=True)

LOOKED_AT = {
    "auth/group",
    "registry/congestionpointconnection",
    "registry/policysetting",
    "registry/revisionplace",
    "uftp/unknownsender",
}
"""Tables whose list is looked at here."""

ROWS = {"auth/group", "registry/congestionpointconnection", "uftp/unknownsender"}
"""Tables of which the page of the first row is looked at, too."""


def some_unknown_senders() -> None:
    """A few senders of which there is no key, and a count of others."""
    at = timezone.now()
    for role, domain, address in (
        ("AGR", "flexibility-of-tomorrow.example", "203.0.113.7"),
        ("DSO", "uftp.production.northern-grid.example", "2001:db8:1234:5678:9abc:def0:1234:5678"),
    ):
        UnknownSender.objects.create(
            role=role,
            domain=domain,
            address=address,
            network=address,
            line=f"no public key of {role} {domain} can be found",
            requests=1_234,
            first_at=at,
            last_at=at,
        )
    OtherUnknownSenders.objects.create(requests=5_678, last_at=at)


@pytest.fixture
def page(log_in: LogIn) -> Page:
    User.objects.create_superuser("lee", password="lee")
    return log_in("lee", "lee")


def test_lists_show_all_their_columns_on_a_desk(market: Market, page: Page) -> None:
    set_policy("P3", "reject", actor="lee", reason="as agreed")
    some_unknown_senders()
    home = page.url
    scroll = []
    for model in admin.site._registry:
        name = f"{model._meta.app_label}/{model._meta.model_name}"
        page.goto(f"{home}{name}/")
        rows = page.locator(".results")
        if rows.count() and not rows.evaluate("it => it.scrollWidth <= it.clientWidth"):
            scroll.append(name)
        if name in LOOKED_AT:
            look(page, f"list-{model._meta.model_name}")
        if name in ROWS:
            page.locator("#result_list tbody th a").first.click()
            expect(page).to_have_url(re.compile("/change/"))
            look(page, f"row-{model._meta.model_name}")
    assert scroll == []
