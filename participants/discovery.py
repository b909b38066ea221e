"""Keys and endpoints that participants publish about themselves (docs/protocol-support.md, Discovery)."""

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
    """A lookup that gave no usable answer. Temporary: 419 for a message in, a retry for one out."""


class Discovery(Protocol):
    """A source of what participants publish. Roles are `AGR`, `DSO` or `CRO`; domains are in lower case."""

    def keys(self, role: str, domain: str) -> tuple[bytes, ...]:
        """The 32-byte signature keys that (role, domain) publishes; none where it publishes none.

        Raises DiscoveryFailed where the source cannot tell, or what it tells is no key.
        """

    def endpoint(self, role: str, domain: str, major: int) -> str | None:
        """The URL for messages of major version `major` to (role, domain); None where none is published.

        Raises DiscoveryFailed where the source cannot tell, or what it tells is not to be posted to.
        """


class NoDiscovery:
    """Nobody publishes anything: only what is configured counts."""

    def keys(self, role: str, domain: str) -> tuple[bytes, ...]:
        return ()

    def endpoint(self, role: str, domain: str, major: int) -> str | None:
        return None


class DnsDiscovery:
    """What participants publish in DNS, as answered by the resolver, which has to be a trusted one."""

    def __init__(self, resolver: dns.resolver.Resolver | None = None) -> None:
        """`resolver`: by default the one that the system is configured with."""
        self._resolver = resolver

    def version(self, domain: str) -> str | None:
        """The specification version, such as `3.1.0`, at `_usef.<domain>`; None where none is published."""
        return next(iter(self._texts(f"_usef.{domain}")), None)

    def keys(self, role: str, domain: str) -> tuple[bytes, ...]:
        """One or two keys in the TXT record at `_<role>._usef.<domain>`; other texts there do not count."""
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
        """`https://<host>/shapeshifter/api/v<major>/message`, the host being the CNAME of its record."""
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
        """The texts at `name`, each with its strings joined."""
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
    """The source that the settings name: DNS where DISCOVERY_DNS is on, else none."""
    return DnsDiscovery() if settings.DISCOVERY_DNS else NoDiscovery()
