"""What apps add to the screens of the apps below them."""

import ast
import re
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, RequestFactory

import participants
from participants.admin_base import extensions
from participants.admin_base.base import BaseAdmin
from participants.admin_base.extensions import AlreadyExtended, Card, ScreenExtension, extend_screens
from participants.admin_base.figures import Figure
from participants.admin_base.pages import Page
from participants.models import Participant
from participants.scope import NOBODY
from tests.participants.conftest import NOW, AddParticipant, page_of

APPS = ("participants.", "uftp.", "registry.", "reservations.", "cro_project.")


@pytest.fixture
def none_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No app has registered anything."""
    monkeypatch.setattr(extensions, "_extensions", {})


def extension(order: int, name: str) -> ScreenExtension:
    return ScreenExtension(
        order=order,
        cards=(lambda model_admin, request, participant: Card(name),),
        waiting=(lambda participants: {each.pk: order for each in participants},),
        figures=(lambda scope, now, may_view: [Figure(name, "1", "/")],),
        pages={Participant: (Page(f"{name}/", name, lambda model_admin, request: HttpResponse()),)},
        fact_kinds=(name,),
    )


@pytest.mark.parametrize("order", list(permutations(("lower", "middle", "upper"))))
def test_the_order_is_the_stated_one_whoever_registers_first(none_yet: None, order: tuple[str, ...]) -> None:
    numbers = {"lower": 1, "middle": 2, "upper": 3}
    for name in order:
        extend_screens(name, extension(numbers[name], name))
    participant = Participant(pk=7)

    cards = extensions.cards(None, HttpRequest(), participant)
    assert [card.title for card in cards] == list(numbers)
    assert [figure.text for figure in extensions.figures(NOBODY, NOW, lambda _: True)] == list(numbers)
    assert [page.name for page in extensions.pages(Participant)] == list(numbers)
    assert extensions.fact_kinds() == list(numbers)
    assert extensions.waiting_messages([participant]) == {7: 1 + 2 + 3}


def test_an_app_registers_once(none_yet: None) -> None:
    extend_screens("uftp", extension(1, "first"))

    with pytest.raises(AlreadyExtended, match="uftp extends the screens twice"):
        extend_screens("uftp", extension(2, "second"))

    assert [each.order for each in extensions.extensions()] == [1]


def test_two_apps_have_not_the_same_order(none_yet: None) -> None:
    extend_screens("uftp", extension(1, "first"))

    with pytest.raises(AlreadyExtended, match="registry has the order 1 of uftp"):
        extend_screens("registry", extension(1, "second"))


def test_every_app_has_registered_when_the_program_has_started() -> None:
    makers = [figures for each in extensions.extensions() for figures in each.figures]

    apps = [each.__module__.split(".")[0] for each in makers]
    assert apps == ["participants", "uftp", "registry", "registry", "reservations"]


def changes_of_what_is_imported(module: Path) -> Iterator[str]:
    """The statements with which importing `module` changes something of another module."""
    body = ast.parse(module.read_text()).body
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    imported = {name.asname or name.name for node in imports for name in node.names}
    for node in body:
        changed: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            changed = [target for target in node.targets if not isinstance(target, ast.Name)]
        elif isinstance(node, ast.AugAssign):
            changed = [node.target]
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            changed = [node.value.func]
        for target in changed:
            names = {each.id for each in ast.walk(target) if isinstance(each, ast.Name)}
            if names & imported:
                yield f"{module}:{node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("app", ["participants", "uftp", "registry", "reservations"])
def test_importing_the_screens_of_an_app_changes_nothing_elsewhere(app: str) -> None:
    root = Path(participants.__file__).parents[1] / app
    modules = [*root.glob("admin/**/*.py"), *root.glob("admin_base/*.py"), root / "apps.py"]

    assert [found for module in modules for found in changes_of_what_is_imported(module)] == []


def test_the_page_of_a_participant_has_the_cards_in_order(
    staff: Client, add_participant: AddParticipant
) -> None:
    page = staff.get(page_of(add_participant())).content.decode()

    assert re.findall(r'<h2 id="card-\d+">(.*?)</h2>', page) == [
        "Standing",
        "About it",
        "Connectivity test",
        "Delivery settings",
        "Messages from it",
        "Messages to it",
        "Common reference",
        "Reservations",
        "Contacts",
        "Public keys",
        "Latest audit entries",
    ]


def test_a_page_is_checked_before_its_view(staff: Client, add_participant: AddParticipant) -> None:
    called = []

    def view(model_admin: object, request: HttpRequest, row: Participant, part: str) -> HttpResponse:
        called.append((row, part))
        return HttpResponse()

    def no(model_admin: object, request: HttpRequest, row: Participant) -> bool:
        return False

    participant = add_participant()
    model_admin = admin.site.get_model_admin(Participant)
    request = RequestFactory().get("/")
    request.user = staff.get(page_of(participant)).wsgi_request.user
    route = "<path:object_id>/<slug:part>/"
    allowed = Page(route, "allowed", view).url(model_admin).callback.__wrapped__
    denied = Page(route, "denied", view, may=no, denied="Ask somebody else.").url(model_admin)

    assert allowed(request, object_id=str(participant.pk), part="a").status_code == 200
    with pytest.raises(Http404):
        allowed(request, object_id="0", part="a")
    with pytest.raises(PermissionDenied, match="Ask somebody else"):
        denied.callback.__wrapped__(request, object_id=str(participant.pk), part="a")
    assert called == [(participant, "a")]


def test_pages_of_rows_are_views_and_only_the_base_class_has_the_hook_for_their_context() -> None:
    """`page_context` adds to the page of a row. No class of ours overrides Django's own views for it."""
    classes = {each for model_admin in admin.site._registry.values() for each in type(model_admin).__mro__}
    ours = {each for each in classes if each.__module__.startswith(APPS)}

    assert BaseAdmin in ours
    assert [each for each in ours if {"change_view", "changeform_view"} & vars(each).keys()] == []
    assert [each for each in ours if "render_change_form" in vars(each)] == [BaseAdmin]
