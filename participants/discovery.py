"""Look up the keys and endpoints that participants publish (docs/protocol-support.md, Discovery)."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import dns.exception
import dns.resolver
from django.conf import settings
from dns.rdtypes.ANY.CNAME import CNAME
from dns.rdtypes.ANY.TXT import TXT
from publicsuffixlist import PublicSuffixList

from participants.endpoints import EndpointRefused, check_endpoint
from participants.keys import PREFIX, InvalidKey, parse_public_key
from participants.lookups import Asker, DiscoveryFailed, LookUps

__all__ = [
    "Discovery",
    "DiscoveryFailed",
    "DnsDiscovery",
    "NoDiscovery",
    "configured",
    "endpoint_in_words",
    "registrable_zone",
]

T = TypeVar("T")

LOOKUP_SECONDS = 5.0

ENDPOINT_PATIENCE = 1.0
"""For how many seconds a worker waits for its turn to look up an endpoint. A request that needs a key never waits."""

LONGEST_NAME = 253

MAX_KEYS = 4
"""How many keys a name may publish: two, and two more while its records are replaced."""


class Discovery(Protocol):
    """A source of published keys and endpoints. Roles are `AGR`, `DSO` or `CRO`; domains are in lower case."""

    def keys(
        self, role: str, domain: str, *, asker: Asker = Asker.REGISTERED, newer_than: float | None = None
    ) -> tuple[bytes, ...]:
        """Return the 32-byte signature keys that (role, domain) publishes; empty if there are none.

        Args:
            role: The role.
            domain: The domain.
            asker: On whose behalf this is.
            newer_than: Take no answer that is older than so many seconds.

        Raises:
            DiscoveryFailed: The source gives no answer, or the answer is not a key.
        """

    def endpoint(self, role: str, domain: str, major: int) -> str | None:
        """Return the URL for messages of major version `major` to (role, domain); None if none is published.

        Raises:
            DiscoveryFailed: The source gives no answer, or the answer is no URL to post to.
        """


class NoDiscovery:
    """A source without any entry: only configured keys and endpoints are used."""

    def keys(
        self, role: str, domain: str, *, asker: Asker = Asker.REGISTERED, newer_than: float | None = None
    ) -> tuple[bytes, ...]:
        return ()

    def endpoint(self, role: str, domain: str, major: int) -> str | None:
        return None


class DnsDiscovery:
    """The entries that participants publish in DNS. The resolver must be a trusted one.

    Answers are kept for their TTL, within limits, and few threads of a process ask at once (`participants/lookups.py`).
    """

    def __init__(self, resolver: dns.resolver.Resolver | None = None, lookups: LookUps | None = None) -> None:
        """Use `resolver`; by default the resolver of the operating system. `lookups` keeps the answers."""
        self._resolver = resolver
        self._lookups = lookups or LookUps()

    def version(self, domain: str) -> str | None:
        """Return the specification version at `_usef.<domain>`, such as `3.1.0`; None if none is published."""
        name = _name("_usef", domain)
        return self._lookups.answer(
            (name, "TXT"), lambda: self._ask(name, "TXT", _first_text), zone=registrable_zone(domain)
        )

    def keys(
        self, role: str, domain: str, *, asker: Asker = Asker.REGISTERED, newer_than: float | None = None
    ) -> tuple[bytes, ...]:
        """Return the one or two keys in the TXT record at `_<role>._usef.<domain>`; ignore other texts there.

        It never waits for its turn, because a request waits for it.
        """
        name = _name(f"_{role.lower()}._usef", domain)
        return self._lookups.answer(
            (name, "TXT"),
            lambda: self._ask(name, "TXT", _keys),
            asker=asker,
            zone=None if asker is Asker.REGISTERED else registrable_zone(domain),
            newer_than=newer_than,
        )

    def endpoint(self, role: str, domain: str, major: int) -> str | None:
        """Return `https://<host>/shapeshifter/api/v<major>/message`; the host is the CNAME of its record."""
        name = _name(f"_http._{role.lower()}._usef", domain)
        host = self._lookups.answer(
            (name, "CNAME"),
            lambda: self._ask(name, "CNAME", _host),
            patience=ENDPOINT_PATIENCE,
            zone=registrable_zone(domain),
        )
        if host is None:
            return None
        url = f"https://{host}/shapeshifter/api/v{major}/message"
        try:
            check_endpoint(url)
        except EndpointRefused as wrong:
            raise DiscoveryFailed(f"{name}: {wrong}") from None
        return url

    def _ask(self, name: str, kind: str, read: Callable[[str, list[object]], T]) -> tuple[T, float]:
        """Ask the resolver, and return what `read` makes of the records at `name`, and their TTL in seconds."""
        try:
            resolver = self._resolver or dns.resolver.get_default_resolver()
            answer = resolver.resolve(name, kind, raise_on_no_answer=False, lifetime=LOOKUP_SECONDS)
        except dns.resolver.NXDOMAIN:
            return read(name, []), 0.0
        except dns.exception.DNSException as failure:
            raise DiscoveryFailed(
                f"{name}: DNS gave no {kind} answer ({type(failure).__name__})"
            ) from failure
        records = answer.rrset
        return read(name, list(records or ())), records.ttl if records else 0.0


def configured() -> Discovery:
    """Return the source in the settings: DNS if DISCOVERY_DNS is on, else NoDiscovery."""
    return DnsDiscovery(lookups=_lookups) if settings.DISCOVERY_DNS else NoDiscovery()


_lookups = LookUps()
"""What this process keeps of DNS."""

_suffixes = PublicSuffixList(only_icann=True)
"""The domains below which anybody can register one, such as `nl` and `co.uk`. It does not have those of companies that
give names away: such a company counts as one owner."""


def registrable_zone(domain: str) -> str:
    """Return the part of `domain` that its owner has registered: `agr.example` of `x.agr.example`."""
    return _suffixes.privatesuffix(domain) or domain


def _name(label: str, domain: str) -> str:
    """Return the name of a record. Raises DiscoveryFailed for one that DNS cannot hold, and that nothing may keep."""
    name = f"{label}.{domain}"
    if len(name) > LONGEST_NAME:
        raise DiscoveryFailed(f"{name[:60]}…: DNS has no names of more than {LONGEST_NAME} characters")
    return name


def _texts(records: list[object]) -> list[str]:
    """Return the texts of TXT records, the strings of each joined."""
    return [
        b"".join(record.strings).decode("ascii", "replace").strip()
        for record in records
        if isinstance(record, TXT)
    ]


def _first_text(name: str, records: list[object]) -> str | None:
    return next(iter(_texts(records)), None)


def _keys(name: str, records: list[object]) -> tuple[bytes, ...]:
    """Return the keys of the TXT records at `name`. Raises DiscoveryFailed if one is wrong, or if there are many."""
    found: dict[bytes, None] = {}
    for text in _texts(records):
        words = text.split()
        if not words or not words[0].startswith(PREFIX):
            continue
        if len(words) > 2 or not all(word.startswith(PREFIX) for word in words):
            raise DiscoveryFailed(f"{name}: the record holds something else than one or two {PREFIX} keys")
        try:
            found.update(dict.fromkeys(map(parse_public_key, words)))
        except InvalidKey as wrong:
            raise DiscoveryFailed(f"{name}: {wrong}") from None
        if len(found) > MAX_KEYS:
            raise DiscoveryFailed(f"{name}: more than {MAX_KEYS} keys are published")
    return tuple(found)


def _host(name: str, records: list[object]) -> str | None:
    for record in records:
        if isinstance(record, CNAME):
            host: str = record.target.to_text(omit_final_dot=True).lower()
            return host
    return None


def endpoint_in_words(endpoint: str) -> str:
    """Return the endpoint of a participant, for staff. Without one: where it is looked for, or that it is not."""
    return endpoint or ("by discovery" if settings.DISCOVERY_DNS else "none (DISCOVERY_DNS is off)")
