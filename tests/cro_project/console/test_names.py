"""One name for each list and page: on the tab or link to it, as its heading, and at the end of its breadcrumbs."""

import html
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

GROUPS = {"Messages": "Received messages", "Reservations": "Contracts"}
"""Entries of the menu that lead to several pages: what the first of these is called."""

LINKS = re.compile(r'<a href="(/admin/[^"?#]*)"[^>]*>([^<]+)</a>')


@pytest.fixture
def kim(db: None, client: Client) -> Client:
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    return client


def text(client: Client, url: str) -> str:
    answer = client.get(url, follow=True)
    assert answer.status_code == 200, url
    return html.unescape(answer.content.decode())


def part(page: str, begin: str, end: str) -> str:
    return page[page.index(begin) :].partition(end)[0]


def linked(client: Client) -> list[tuple[str, str, str]]:
    """Where each link is, where it leads, and its text: those of the menu, the head, the overview and the tabs."""
    home = text(client, "/admin/")
    places = {
        "menu": part(home, '<nav id="menu"', "</nav>"),
        "head": part(home, '<div id="user-tools"', "</div>"),
        "overview": part(home, '<nav class="tables"', "</nav>"),
    }
    for url in ("/admin/uftp/inboundmessage/", "/admin/reservations/contract/"):
        places[f"tabs of {url}"] = part(text(client, url), '<nav class="tabs"', "</nav>")
    found = [
        (place, url, name.strip()) for place, within in places.items() for url, name in LINKS.findall(within)
    ]
    return [
        (place, url, name)
        for place, url, name in found
        if name != "Add" and (place == "head" or url.count("/") > 3)
    ]


def test_a_page_is_called_as_the_links_to_it(kim: Client) -> None:
    differing, seen = [], 0
    for place, url, name in linked(kim):
        page = text(kim, url)
        heading = re.search(r"<h1>([^<]*)</h1>", page)
        assert heading, url
        seen += 1
        expected = GROUPS.get(name, name) if place == "menu" else name
        trail = re.sub(r"<[^>]+>", "", part(page, '<div class="breadcrumbs"', "</div>"))
        last = trail.rpartition("›")[2].strip()
        if not heading[1].startswith(expected) or not heading[1].startswith(last):
            differing.append((place, url, name, heading[1], last))
    assert not differing
    assert seen > 30
