"""The page "This CRO": what participants need to know of it, to be copied."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from participants.keys import PREFIX, format_public_key, public_key_of_seed
from uftp.protocol.versions import PATHS, SUPPORTED


@dataclass(frozen=True, slots=True)
class Said:
    """A value to copy, what it is, and for whom it is in this form."""

    name: str
    value: str
    about: str = ""


def this_cro_page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """Show domain, public key, addresses and versions of this CRO."""
    context = {
        **site.each_context(request),
        "title": "This CRO",
        "groups": [
            ("Identity", _identity()),
            ("Public key", _keys()),
            ("Message endpoint", _addresses(request)),
            ("Versions", _versions()),
        ],
        "without_key": settings.CRO_SIGNING_KEY is None,
    }
    return TemplateResponse(request, "admin/this_cro.html", context)


def _identity() -> list[Said]:
    return [
        Said("Domain", settings.CRO_DOMAIN, "Participants write it as RecipientDomain"),
        Said("Role", "CRO"),
    ]


def _keys() -> list[Said]:
    if settings.CRO_SIGNING_KEY is None:
        return []
    published = format_public_key(public_key_of_seed(settings.CRO_SIGNING_KEY))
    return [
        Said(
            "As it is published",
            published,
            f"With {PREFIX} in front: for DNS",
        ),
        Said(
            "Base64 alone",
            published.removeprefix(PREFIX),
            f"Without {PREFIX}: for the Python and the Java participant libraries",
        ),
    ]


def _addresses(request: HttpRequest) -> list[Said]:
    """Return the URLs of the message endpoint on the host at which staff look at this page."""
    return [
        Said(f"Version {major}", request.build_absolute_uri(path), "On the host name of this page")
        for path, major in PATHS.items()
    ]


def _versions() -> list[Said]:
    return [Said("UFTP", ", ".join(SUPPORTED)), Said("This software", _software_version())]


@cache
def _software_version() -> str:
    with (settings.BASE_DIR / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
