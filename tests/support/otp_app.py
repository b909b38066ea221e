"""A telephone with an app for one-time codes, on whose clock the CRO goes too."""

import re
from base64 import b32decode
from types import SimpleNamespace

import pytest
from django_otp.oath import TOTP

STEP = 30


class Telephone:
    """Knows the secret that it was shown, and gives its codes; each is of a later step than the one before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_782_900_000
        self.secret = b""
        clock = SimpleNamespace(time=lambda: self.now)
        monkeypatch.setattr("django_otp.plugins.otp_totp.models.time", clock)
        monkeypatch.setattr("cro_project.login.two_factor.time", clock)

    def take_over(self, page: str) -> None:
        """Take the secret that a page shows to be typed."""
        shown = re.search(r"[A-Z2-7]{4}(?: [A-Z2-7]{4}){7}", page)
        assert shown, f"no secret on the page: {page}"
        self.secret = b32decode(shown[0].replace(" ", ""))

    def code(self) -> str:
        """The code of the next 30 seconds, which have begun."""
        self.now += STEP
        app = TOTP(self.secret)
        app.time = self.now
        return f"{app.token():06}"

    def wrong_code(self) -> str:
        """A code that is not the app's at this moment, nor just before or after."""
        app = TOTP(self.secret)
        near = set()
        for steps in range(-2, 4):
            app.time = self.now + steps * STEP
            near.add(app.token())
        return next(f"{guess:06}" for guess in range(10) if guess not in near)
