"""The second factor of staff: a code from an app on their telephone (TOTP), or one of ten recovery codes.

A member of staff who has set up such an app is *enrolled*. django-otp checks the codes: each code is valid once, and
after each wrong one there is a wait, which doubles every time.
"""

import secrets
import time
from base64 import b32encode
from datetime import datetime
from typing import Any

import segno
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.safestring import SafeString, mark_safe
from django_otp import verify_token
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from participants import audit

APP_DIGITS = 6
RECOVERY_DIGITS = 12
RECOVERY_CODES = 10
STORED_LENGTH = 16
"""Hexadecimal digits stored of a recovery code's hash: the size of the column."""

SECRET_BYTES = 20
OWN_ACCOUNT = "own account"
"""The reason in audit entries about changes of one's own account."""

CLOCK_TOLERANCE_STEPS = 1
"""How many steps of 30 seconds the clock of a telephone may be wrong."""


def enrolled_since(user: User) -> datetime | None:
    """Return when the app of `user` was set up; None if there is none."""
    app = TOTPDevice.objects.filter(user=user, confirmed=True).order_by("id").first()
    return app.created_at if app else None


def is_enrolled(user: Any) -> bool:
    """Return whether `user` must give a code at log-in. Query the database once for each user object."""
    known = getattr(user, "_enrolled", None)
    if known is None:
        known = user._enrolled = TOTPDevice.objects.filter(user_id=user.pk, confirmed=True).exists()
    return bool(known)


def has_verified(user: Any) -> bool:
    """Return whether the session of `user` was opened with a second factor that is still set up."""
    return getattr(user, "otp_device", None) is not None


def is_sufficient(user: Any) -> bool:
    """Return whether the log-in of `user` is sufficient for the screens of staff."""
    return has_verified(user) or not (settings.TWO_FACTOR_REQUIRED or is_enrolled(user))


def codes_left(user: User) -> int:
    """Return how many recovery codes of `user` are unused."""
    return int(StaticToken.objects.filter(device__user=user).count())


def make_secret() -> str:
    """Make a secret for an app, in hexadecimal."""
    return secrets.token_hex(SECRET_BYTES)


def grouped_secret(secret: str) -> str:
    """Return `secret` (hexadecimal) as users type it into an app: Base32 in groups of four."""
    text = b32encode(bytes.fromhex(secret)).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def qr_code(user: User, secret: str) -> SafeString:
    """Return an SVG with the QR code from which an app reads `user` and `secret` (hexadecimal)."""
    address = TOTPDevice(user=user, key=secret).config_url
    svg = segno.make(address, error="m").svg_inline(
        omitsize=True, dark="#000", light="#fff", border=4, svgclass="qr", lineclass=None, title="QR code"
    )
    return mark_safe(svg.replace("<svg ", '<svg role="img" ', 1))  # noqa: S308


def only_digits(text: str) -> str:
    """Return the digits of a typed code, which may be in groups.

    Raises:
        ValidationError: The text is neither an app's code nor a recovery code.
    """
    digits = "".join(text.replace("-", " ").split())
    if not (digits.isascii() and digits.isdigit() and len(digits) in (APP_DIGITS, RECOVERY_DIGITS)):
        raise ValidationError(
            f"A code from the app has {APP_DIGITS} digits, a recovery code has {RECOVERY_DIGITS}; "
            "give one of them."
        )
    return digits


class SecondFactorBackend(BaseBackend):
    """Check the code in `authenticate(request, username=…, code=…)`. The password was checked before.

    It is listed after the backend of django-axes, so wrong codes lock a log-in as wrong passwords do.
    """

    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, username: str | None = None, code: str | None = None
    ) -> User | None:
        user = User.objects.filter(username=username, is_active=True).first()
        device = _device_for(user, code) if user and code else None
        if not user or not code or not device:
            return None
        token = code if len(code) == APP_DIGITS else _stored(user, code)
        user.otp_device = verify_token(user, device.persistent_id, token)  # type: ignore[attr-defined]
        return user if has_verified(user) else None


def refused_until(user: User, code: str) -> datetime | None:
    """Return until when codes of this kind are refused after earlier wrong ones; None if they are not."""
    device = _device_for(user, code)
    if device is None:
        return None
    _, why_not = device.verify_is_allowed()
    until: datetime | None = (why_not or {}).get("locked_until")
    return until


def _device_for(user: User, code: str) -> Any:
    """Return the device that `code` is from, by its number of digits: the app or the recovery codes of `user`."""
    kind = TOTPDevice if len(code) == APP_DIGITS else StaticDevice
    return kind.objects.filter(user=user, confirmed=True).order_by("id").first()


def enrol(user: User, secret: str, code: str) -> tuple[TOTPDevice, list[str]]:
    """Set up the app of `user`, instead of an earlier one, and end all sessions of `user`.

    The caller opens a session again.

    Args:
        user: Whose app it is.
        secret: The secret that the app holds, in hexadecimal.
        code: Proves that the app works. It cannot be used again.

    Returns:
        The app, and ten recovery codes, which replace earlier ones.

    Raises:
        ValidationError: The code is wrong, or there is no secret.
    """
    if len(secret) != 2 * SECRET_BYTES:
        raise ValidationError("The QR code that you used is no longer valid; let the app read this one.")
    totp = TOTP(bytes.fromhex(secret))
    totp.time = time.time()
    if len(code) != APP_DIGITS or not totp.verify(int(code), tolerance=CLOCK_TOLERANCE_STEPS):
        raise ValidationError(
            "This is not the code of this secret at this moment. Give the one that the app shows; "
            "if it is refused again, check the clock of the telephone."
        )
    with transaction.atomic():
        _lock(user)
        earlier, _ = TOTPDevice.objects.filter(user=user).delete()
        app = TOTPDevice.objects.create(user=user, name="app", key=secret, last_t=totp.t())
        audit.record(
            user.get_username(),
            "replaced second factor" if earlier else "set up second factor",
            subject(user),
            reason=OWN_ACCOUNT,
            about=user,
        )
        codes = _replace_codes(user)
    end_sessions(user)
    return app, codes


def renew_codes(user: User) -> list[str]:
    """Make ten recovery codes for `user`. They replace earlier ones."""
    with transaction.atomic():
        _lock(user)
        audit.record(
            user.get_username(), "made recovery codes", subject(user), reason=OWN_ACCOUNT, about=user
        )
        return _replace_codes(user)


def turn_off(user: User, *, actor: str, reason: str = "") -> None:
    """Delete the app and the recovery codes of `user`, and end all sessions of `user`.

    Raises:
        ValidationError: There is no app, or `actor` is not `user` and gives no reason.
    """
    own = actor == user.get_username()
    if not own and not reason.strip():
        raise ValidationError("Say why: this is recorded with its reason.")
    with transaction.atomic():
        _lock(user)
        devices = TOTPDevice.objects.filter(user=user)
        if not devices.exists():
            raise ValidationError(f"{user.get_username()} has no second factor.")
        devices.delete()
        StaticDevice.objects.filter(user=user).delete()
        audit.record(
            actor,
            "turned off second factor" if own else "reset second factor",
            subject(user),
            reason=reason.strip() or OWN_ACCOUNT,
            about=user,
        )
    end_sessions(user)


def record_recovery_login(user: User) -> None:
    """Record in the audit trail that `user` logged in with a recovery code."""
    audit.record(
        user.get_username(),
        "used recovery code",
        subject(user),
        after={"codes left": codes_left(user)},
        reason=OWN_ACCOUNT,
        about=user,
    )


def end_sessions(user: User) -> None:
    """End every session of `user`."""
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            session.delete()


def subject(user: User) -> str:
    """Return the name of `user` in the audit trail."""
    return f"user {user.get_username()}"


def _lock(user: User) -> None:
    """Lock the second factor of `user` until the transaction ends."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _replace_codes(user: User) -> list[str]:
    device, _ = StaticDevice.objects.get_or_create(user=user, defaults={"name": "recovery codes"})
    device.token_set.all().delete()
    digits = [f"{secrets.randbelow(10**RECOVERY_DIGITS):0{RECOVERY_DIGITS}}" for _ in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=device, token=_stored(user, code)) for code in digits)
    return ["-".join((code[:4], code[4:8], code[8:])) for code in digits]


def _stored(user: User, code: str) -> str:
    """Return what the database stores of a recovery code: a hash keyed with SECRET_KEY."""
    keyed = salted_hmac("recovery code", f"{user.pk} {code}", algorithm="sha256")
    return keyed.hexdigest()[:STORED_LENGTH]
