"""The address of the client behind trusted proxies (docs/settings.md, TRUSTED_PROXIES).

The log-in lock, the limit of requests and the log lines read it from REMOTE_ADDR.
"""

import re
from collections.abc import Callable, Collection, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from common.networks import client_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}")
_BRACKETED = re.compile(r"\[([^\]]+)\](?::[0-9]{1,5})?")


def client_address(peer: str, forwarded_for: str, trusted: Collection[Network]) -> str:
    """Return the client's address: the last one of `forwarded_for` that is not a trusted proxy.

    Ports, brackets and IPv6 zones are removed. An entry that is no address ends the search, because everything before
    it may be invented: then the address is the peer's.

    Args:
        peer: The address that the connection came from.
        forwarded_for: The value of X-Forwarded-For. Each proxy adds to its end the address that it was called from.
        trusted: The networks of the trusted proxies.
    """
    sender = parse_address(peer)
    if sender is None:
        return peer
    client = sender
    if _is_trusted(sender, trusted):
        for entry in reversed(forwarded_for.split(",")):
            found = parse_address(entry)
            if found is None:
                return str(sender)
            client = found
            if not _is_trusted(client, trusted):
                break
    return str(client)


def parse_address(text: str) -> Address | None:
    """Return the IP address in `text`, which may have a port, brackets or an IPv6 zone, or None.

    An IPv4 address in IPv6 notation is returned as IPv4, so that one client has one address.
    """
    text = text.strip()
    written = _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text)
    try:
        address = ip_address((written[1] if written else text).partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def behind_trusted_proxies(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Set REMOTE_ADDR and the scheme of each request that comes from a trusted proxy to those of the client.

    This middleware is the first: those after it read REMOTE_ADDR.
    """
    trusted = [_network(address) for address in settings.TRUSTED_PROXIES]
    if not trusted:
        raise MiddlewareNotUsed

    def respond(request: HttpRequest) -> HttpResponseBase:
        values = request.META
        peer = values.get("REMOTE_ADDR", "")
        values["REMOTE_ADDR"] = client_address(peer, values.get("HTTP_X_FORWARDED_FOR", ""), trusted)
        scheme = values.get("HTTP_X_FORWARDED_PROTO", "").strip().lower()
        if scheme in {"http", "https"} and _is_trusted(parse_address(peer), trusted):
            values["wsgi.url_scheme"] = scheme
        return get_response(request)

    return respond


def of_request(request: HttpRequest) -> str | None:
    """Return the client's address, or None if the server does not know it."""
    address = parse_address(request.META.get("REMOTE_ADDR", ""))
    return None if address is None else str(address)


def for_log_in_lock(request: HttpRequest) -> str | None:
    """Return the address by which failed log-ins are counted: of IPv6 the first one of the client's /64."""
    address = of_request(request)
    return None if address is None else client_network(address).partition("/")[0]


def _network(text: str) -> Network:
    """Return the network of `text`; one of IPv4 addresses in IPv6 notation as IPv4, as `parse_address` does."""
    network = ip_network(text)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return ip_network(f"{mapped}/{network.prefixlen - 96}") if mapped and network.prefixlen >= 96 else network


def _is_trusted(address: Address | None, trusted: Iterable[Network]) -> bool:
    return address is not None and any(address in network for network in trusted)
