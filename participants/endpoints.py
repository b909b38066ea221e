"""Check which addresses messages may be posted to."""

import ipaddress
import re
from urllib.parse import urlsplit

from django.conf import settings

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_HOST = re.compile(
    r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
)
_LOCAL_NAMES = ("localhost", "local", "internal", "lan", "home.arpa", "localdomain")
_ALLOW = "(UFTP_ALLOW_PRIVATE_ENDPOINTS=true allows it, for trials)"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class EndpointRefused(ValueError):
    """Messages may not be posted to an address. The text is the reason, and what to use instead."""


def check_endpoint(url: str) -> None:
    """Check the text of an endpoint's URL.

    It must be an absolute http or https URL without user, password or fragment. Without
    UFTP_ALLOW_PRIVATE_ENDPOINTS it must be https, and the host must not name this machine or a private network.
    `check_resolved_address` checks what the host name resolves to, at the time of delivery.

    Raises:
        EndpointRefused: Messages may not be posted to `url`.
    """
    if not url.isascii() or re.search(r"[\x00-\x20\x7f\\]", url):
        raise EndpointRefused(
            "an endpoint is a URL in plain ASCII without spaces; give one such as " + _EXAMPLE
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as wrong:
        raise EndpointRefused(f"not a URL ({wrong}); give one such as {_EXAMPLE}") from None
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        raise EndpointRefused(
            f"an endpoint is an https (or http) URL with a host; give one such as {_EXAMPLE}"
        )
    if "@" in parts.netloc or "#" in url:
        raise EndpointRefused(f"an endpoint has no user, password or fragment; give one such as {_EXAMPLE}")
    address = _literal(host)
    if address is None and not _HOST.fullmatch(host):
        raise EndpointRefused(f"{host!r} is not a host name; give a URL such as {_EXAMPLE}")
    if settings.UFTP_ALLOW_PRIVATE_ENDPOINTS:
        return
    if parts.scheme != "https":
        raise EndpointRefused(f"an endpoint is https, not {parts.scheme}; give its https URL {_ALLOW}")
    if address is not None:
        check_resolved_address(str(address))
    elif _names_local(host):
        raise EndpointRefused(
            f"the host {host} is not a public host name; give the endpoint's public one {_ALLOW}"
        )


def check_resolved_address(address: str) -> None:
    """Check an IP address before a message is posted to it.

    Without UFTP_ALLOW_PRIVATE_ENDPOINTS it must be a public unicast address: not loopback, private, link-local, shared,
    reserved or multicast, nor an IPv6 address that contains such an IPv4 address.

    Raises:
        EndpointRefused: Messages may not be posted to `address`.
    """
    try:
        given = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        raise EndpointRefused(f"{address!r} is not an IP address") from None
    if not settings.UFTP_ALLOW_PRIVATE_ENDPOINTS and not all(map(_is_public, _meanings(given))):
        raise EndpointRefused(f"{address} is not a public address; give an endpoint that has one {_ALLOW}")


_EXAMPLE = "https://uftp.agr.example/shapeshifter/api/v3/message"


def _literal(host: str) -> Address | None:
    """Return the IP address that `host` is written as; None if `host` is a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    if re.fullmatch(r"[0-9]+|0[xX][0-9A-Fa-f]*", host.rstrip(".").rpartition(".")[2]):
        raise EndpointRefused(
            f"{host} is neither a host name nor an IP address in its usual form; give one of them"
        )
    return None


def _names_local(host: str) -> bool:
    name = host.rstrip(".").lower()
    return "." not in name or any(name.endswith("." + local) for local in _LOCAL_NAMES)


def _meanings(address: Address) -> list[Address]:
    """Return `address`, and the IPv4 address that a network may translate an IPv6 one into."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    wrapped: list[Address] = [address]
    if address.sixtofour:
        wrapped.append(address.sixtofour)
    if address.teredo:
        wrapped.extend(address.teredo)
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    return wrapped


def _is_public(address: Address) -> bool:
    kinds = (address.is_multicast, address.is_reserved, address.is_unspecified)
    return address.is_global and not any((*kinds, getattr(address, "is_site_local", False)))
