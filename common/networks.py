"""Networks of client addresses. What is limited by address is counted by these: one client has many addresses."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network


@lru_cache(maxsize=1_000)
def client_network(address: str) -> str:
    """Return what one client can choose its address from: the /64 of an IPv6 address, or else the address itself."""
    return _network(address, of_ipv4=32, of_ipv6=64)


def site_network(address: str) -> str:
    """Return the network of a whole site: the /24 of an IPv4 address, the /48 of an IPv6 address."""
    return _network(address, of_ipv4=24, of_ipv6=48)


def _network(address: str, *, of_ipv4: int, of_ipv6: int) -> str:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    length = of_ipv6 if isinstance(parsed, IPv6Address) else of_ipv4
    return str(parsed) if length == 32 else str(ip_network((parsed, length), strict=False))
