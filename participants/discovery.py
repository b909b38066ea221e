"""Look up the keys and endpoints that participants publish (docs/protocol-support.md, Discovery)."""

from typing import Protocol

import dns.exception
import dns.resolver
from django.conf import settings
from dns.rdtypes.ANY.CNAME import CNAME
from dns.rdtypes.ANY.TXT import TXT

from participants.endpoints import EndpointRefused, check_endpoint
from participants.keys import PREFIX, InvalidKey, parse_public_key

LOOKUP_SECONDS = 5.0


class DiscoveryFailed(Exception):
    """A lookup gave no usable answer. This is temporary: 419 for a received message, a retry for a message to send."""


class Discovery(Protocol):
    """A source of published keys and endpoints. Roles are `AGR`, `DSO` or `CRO`; domains are in lower case."""

    def keys(self, role: str, domain: str) -> tuple[bytes, ...]:
        """Return the 32-byte signature keys that (role, domain) publishes; empty if there are none.

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

    def keys(self, role: str, domain: str) -> tuple[bytes, ...]:
        return ()

    def endpoint(self, role: str, domain: str, major: int) -> str | None:
        return None


class DnsDiscovery:
    """The entries that participants publish in DNS. The resolver must be a trusted one."""

    def __init__(self, resolver: dns.resolver.Resolver | None = None) -> None:
        """Use `resolver`; by default the resolver of the operating system."""
        self._resolver = resolver

    def version(self, domain: str) -> str | None:
        """Return the specification version at `_usef.<domain>`, such as `3.1.0`; None if none is published."""
        return next(iter(self._texts(f"_usef.{domain}")), None)

    def keys(self, role: str, domain: str) -> tuple[bytes, ...]:
        """Return the one or two keys in the TXT record at `_<role>._usef.<domain>`; ignore other texts there."""
        name = f"_{role.lower()}._usef.{domain}"
        found: dict[bytes, None] = {}
        for text in self._texts(name):
            words = text.split()
            if not words or not words[0].startswith(PREFIX):
                continue
            if len(words) > 2 or not all(word.startswith(PREFIX) for word in words):
                raise DiscoveryFailed(
                    f"{name}: the record holds something else than one or two {PREFIX} keys"
                )
            try:
                found.update(dict.fromkeys(map(parse_public_key, words)))
            except InvalidKey as wrong:
                raise DiscoveryFailed(f"{name}: {wrong}") from None
        return tuple(found)

    def endpoint(self, role: str, domain: str, major: int) -> str | None:
        """Return `https://<host>/shapeshifter/api/v<major>/message`; the host is the CNAME of its record."""
        name = f"_http._{role.lower()}._usef.{domain}"
        for record in self._records(name, "CNAME"):
            if isinstance(record, CNAME):
                host = record.target.to_text(omit_final_dot=True).lower()
                url = f"https://{host}/shapeshifter/api/v{major}/message"
                try:
                    check_endpoint(url)
                except EndpointRefused as wrong:
                    raise DiscoveryFailed(f"{name}: {wrong}") from None
                return url
        return None

    def _texts(self, name: str) -> list[str]:
        """Return the texts at `name`, the strings of each joined."""
        return [
            b"".join(record.strings).decode("ascii", "replace").strip()
            for record in self._records(name, "TXT")
            if isinstance(record, TXT)
        ]

    def _records(self, name: str, kind: str) -> list[object]:
        try:
            resolver = self._resolver or dns.resolver.get_default_resolver()
            answer = resolver.resolve(name, kind, raise_on_no_answer=False, lifetime=LOOKUP_SECONDS)
        except dns.resolver.NXDOMAIN:
            return []
        except dns.exception.DNSException as failure:
            raise DiscoveryFailed(
                f"{name}: DNS gave no {kind} answer ({type(failure).__name__})"
            ) from failure
        return list(answer.rrset or ())


def configured() -> Discovery:
    """Return the source in the settings: DNS if DISCOVERY_DNS is on, else NoDiscovery."""
    return DnsDiscovery() if settings.DISCOVERY_DNS else NoDiscovery()
