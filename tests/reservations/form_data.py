"""A form of the console as a browser without JavaScript fills it in and sends it."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urljoin

from django.contrib.auth.models import Group, User
from django.test import Client
from lxml.html import HtmlElement, fromstring


def member(name: str, group: str = "CRO operator") -> User:
    """A member of staff."""
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


class Filled:
    """A page, and its form that has a preview; setting a field types into it, `press` sends the whole form."""

    def __init__(self, client: Client, url: str, answer: Any = None) -> None:
        self._client, self.url = client, url
        self.answer = client.get(url) if answer is None else answer
        assert self.answer.status_code == 200, (url, self.answer.status_code, self.answer.get("Location"))
        forms = fromstring(self.answer.content.decode()).forms
        self._form: HtmlElement | None = next((form for form in forms if form.get("data-preview")), None)
        for area in [] if self._form is None else self._form.xpath(".//textarea"):
            # The parser keeps the line break after the tag, which browsers drop.
            area.value = (area.value or "").removeprefix("\n")

    @property
    def text(self) -> str:
        """What the page says, its blanks as one."""
        body = re.sub(r"<[^>]+>", " ", self.answer.content.decode())
        return re.sub(r"\s+", " ", html.unescape(body))

    def fields(self, name: str) -> list[str]:
        """What stands in the fields of this name."""
        return [str(value) for field, value in self._form.form_values() if field == name]

    def rows(self, key: str) -> list[tuple[str, ...]]:
        """(first ISP, last ISP, watts) of each stretch of a kind of day."""
        columns = [self.fields(f"{key}-{name}") for name in ("first", "last", "watts")]
        return list(zip(*columns, strict=True))

    def write(self, **values: Any) -> Filled:
        """Type into fields, `_` standing for `-`; a list or a bool for boxes to tick."""
        for name, value in values.items():
            self._write(name, value)
        return self

    def type(self, name: str, value: str, place: int = 0) -> Filled:
        """Type into the field of this name at a place, where several have it."""
        fields = [each for each in self._form.inputs if each.name == name]
        fields[place].value = value
        return self

    def _write(self, name: str, value: Any) -> None:
        boxes = [
            each for each in self._form.inputs if each.name == name and getattr(each, "checkable", False)
        ]
        if boxes:
            for box in boxes:
                wanted = value if isinstance(value, list) else [value]
                box.checked = box.get("value") in wanted
            return
        self.type(name, str(value))

    def press(self, button: str) -> Filled:
        """Send the form with the button `do` of this value; gives the page that comes, after redirections."""
        buttons = self._form.xpath(".//button[@name='do']/@value")
        assert button in buttons, f"there is no button {button} among {buttons}"
        return self.send(do=button)

    def send_to(self, url: str) -> str:
        """What another address makes of the form."""
        answer = self._client.post(url, self._said())
        assert answer.status_code == 200, answer.status_code
        return html.unescape(answer.content.decode())

    def _said(self, **more: str) -> dict[str, list[str]]:
        data: dict[str, list[str]] = {}
        for name, value in [*self._form.form_values(), *more.items()]:
            data.setdefault(name, []).append(value)
        return data

    def send(self, **more: str) -> Filled:
        target = urljoin(self.url, self._form.get("action") or "")
        answer = self._client.post(target, self._said(**more), follow=True)
        if answer.redirect_chain:
            return Filled(self._client, answer.redirect_chain[-1][0], answer)
        return Filled(self._client, self.url, answer)
