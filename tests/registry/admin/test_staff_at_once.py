"""Two members of staff at once, each with a browser of their own and threads of a server between them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connections, transaction
from django.test import Client

from participants.models import AuditEntry
from registry.models import Change, Conflict, Representation
from tests.registry.admin.pages import list_of, page_of, represented, text_of

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 60.0  # seconds
WHY = "seen in the contract"


def logged_in(name: str) -> Client:
    user = User.objects.create_user(name, password=name, is_staff=True)
    user.groups.add(Group.objects.get(name="CRO operator"))
    client = Client()
    client.force_login(user)
    return client


def form(client: Client, preview: str, **values: str) -> dict[str, str]:
    """A form filled in, with the consequences that were shown."""
    seen = client.post(preview, values)
    (expected,) = re.findall(r'name="expected" value="(\w+)"', seen.content.decode())
    return {**values, "reason": WHY, "expected": expected}


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each of `acts` gives, all begun at the same moment in threads of their own."""
    begin = threading.Barrier(len(acts))
    given: list[Any] = [None] * len(acts)

    def run(place: int) -> None:
        try:
            begin.wait(PATIENCE)
            given[place] = acts[place]()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    return given


def disputed(*homes: int) -> Conflict:
    """The first of the conflicts about these connections."""
    for agr in ("one.example", "two.example"):
        with transaction.atomic():
            represented(agr, *homes)
    return Conflict.objects.earliest("pk")


def test_one_of_two_settles_a_conflict_and_the_other_is_told() -> None:
    conflict = disputed(1)
    kim, lee = logged_in("kim"), logged_in("lee")
    preview = f"{list_of(Conflict)}{conflict.pk}/preview/"
    keep, give = form(kim, preview, decision="keep"), form(lee, preview, decision="give")

    answers = at_once(lambda: kim.post(page_of(conflict), keep), lambda: lee.post(page_of(conflict), give))

    assert sorted(answer.status_code for answer in answers) == [200, 302]
    conflict.refresh_from_db()
    winner = conflict.decided_by
    (told,) = (text_of(answer) for answer in answers if answer.status_code == 200)
    assert f"it was settled by {winner} on" in told
    assert WHY in told
    assert conflict.decision == {"kim": "keep", "lee": "give"}[winner]
    assert AuditEntry.objects.filter(action="settle conflict").count() == 1
    assert Change.objects.filter(kind="staff").count() == 1


def test_a_double_click_settles_once() -> None:
    conflict = disputed(1)
    kim = logged_in("kim")
    twin = Client()
    twin.force_login(User.objects.get(username="kim"))
    said = form(kim, f"{list_of(Conflict)}{conflict.pk}/preview/", decision="keep")

    answers = at_once(lambda: kim.post(page_of(conflict), said), lambda: twin.post(page_of(conflict), said))

    assert [answer.status_code for answer in answers] == [302, 302]
    assert Change.objects.filter(kind="staff").count() == 1


def test_one_settles_many_while_another_settles_one_of_them() -> None:
    conflict = disputed(*range(1, 30))
    kim, lee = logged_in("kim"), logged_in("lee")
    together = f"{list_of(Conflict)}settle/"
    many = form(kim, f"{together}preview/?like={conflict.pk}", decision="give")
    one = form(lee, f"{list_of(Conflict)}{conflict.pk}/preview/", decision="keep")

    first, second = at_once(
        lambda: kim.post(f"{together}?like={conflict.pk}", many),
        lambda: lee.post(page_of(conflict), one),
    )

    assert sorted([first.status_code, second.status_code]) == [200, 302]
    decided = {row.decided_by for row in Conflict.objects.exclude(decision="")}
    assert decided == ({"kim"} if first.status_code == 302 else {"lee"})
    if second.status_code == 200:
        assert "it was settled by kim on" in text_of(second)
    else:
        assert re.search("closed meanwhile|nothing was done", text_of(first))


def test_one_of_two_adjusts_a_row_and_the_other_is_led_to_the_current_one() -> None:
    disputed(1)
    row = Representation.objects.current().get(agr__domain="one.example")
    page = f"{list_of(Representation)}{row.pk}/adjust/"
    kim, lee = logged_in("kim"), logged_in("lee")
    shorter = form(kim, f"{page}preview/", first="2026-06-01", last="2026-08-31")
    later = form(lee, f"{page}preview/", first="2026-07-01", last="2026-12-31")

    answers = at_once(lambda: kim.post(page, shorter), lambda: lee.post(page, later))

    assert sorted(answer.status_code for answer in answers) == [200, 302]
    row.refresh_from_db()
    assert row.superseded_by is not None
    (told,) = (text_of(answer) for answer in answers if answer.status_code == 200)
    assert f"by {row.superseded_by.actor} on" in told
    current = Representation.objects.current().filter(agr__domain="one.example").get()
    assert f"{list_of(Representation)}{current.pk}/adjust/" in told
    assert Change.objects.filter(kind="staff").count() == 1


def test_a_row_is_adjusted_while_a_message_about_it_is_processed() -> None:
    disputed(1)
    row = Representation.objects.current().get(agr__domain="one.example")
    page = f"{list_of(Representation)}{row.pk}/adjust/"
    kim = logged_in("kim")
    said = form(kim, f"{page}preview/", first="2026-06-01", last="2026-08-31")

    def message() -> None:
        with transaction.atomic():
            represented("one.example", 1, last=None)

    answer, _ = at_once(lambda: kim.post(page, said), message)

    # The message speaks last of what it names, whichever was first; staff are told where they were late.
    current = Representation.objects.current().filter(agr__domain="one.example").latest("period")
    assert current.period.upper is None
    assert answer.status_code in (200, 302)
    if answer.status_code == 200:
        assert "by AGRPortfolioUpdate of AGR one.example" in text_of(answer)
        assert not Change.objects.filter(kind="staff").exists()
