"""Discovery against a real DNS server on loopback that these tests start."""

import base64
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest
from pytest_django import Settings

from participants import discovery
from participants.admission import find_keys
from participants.discovery import DiscoveryFailed, DnsDiscovery, NoDiscovery
from tests.participants.conftest import NOW, key_text, raw_key
from tests.support.zone import BROKEN, SILENT, Zone, serving

BOTH_HALVES = "cs1." + base64.b64encode(raw_key(1) + raw_key(2)).decode()


@pytest.fixture
def zone() -> Iterator[Zone]:
    with serving() as zone:
        yield zone


@pytest.fixture
def source(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> DnsDiscovery:
    """The discovery under test, with less patience than usual."""
    monkeypatch.setattr(discovery, "LOOKUP_SECONDS", 1.0)
    return DnsDiscovery(zone.resolver)


ONE, TWO = key_text(1), key_text(2)
KEYS = {
    "one key": ([ONE], (1,)),
    "two keys, for a rotation": ([f"{ONE} {TWO}"], (1, 2)),
    "with an encryption key": ([BOTH_HALVES], (1,)),
    "two keys with encryption keys, in strings of 255": ([f'{BOTH_HALVES} {TWO[:20]}" "{TWO[20:]}'], (1, 2)),
    "a key string cut in two": ([f'{ONE[:10]}" "{ONE[10:]}'], (1,)),
    "beside a text of something else": (["v=spf1 -all", ONE], (1,)),
    "the same key twice": ([f"{ONE} {ONE}"], (1,)),
    "only something else": (["v=spf1 -all"], ()),
}


@pytest.mark.parametrize(("texts", "numbers"), KEYS.values(), ids=KEYS)
def test_keys(zone: Zone, source: DnsDiscovery, texts: list[str], numbers: tuple[int, ...]) -> None:
    zone.txt("_agr._usef.agr.example", *texts)

    assert source.keys("AGR", "agr.example") == tuple(raw_key(number) for number in numbers)


BAD_KEYS = {
    "three keys": [f"{ONE} {TWO} {key_text(3)}"],
    "a key and something else": [f"{ONE} hello"],
    "not Base64": ["cs1.???"],
    "too short": ["cs1.AAAA"],
    "a weak one": ["cs1." + base64.b64encode(bytes(32)).decode()],
}


@pytest.mark.parametrize("texts", BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_record_that_is_no_key_fails(zone: Zone, source: DnsDiscovery, texts: list[str]) -> None:
    zone.txt("_agr._usef.agr.example", *texts)

    with pytest.raises(DiscoveryFailed, match=r"_agr\._usef\.agr\.example: "):
        source.keys("AGR", "agr.example")


def test_each_role_has_its_own_record(zone: Zone, source: DnsDiscovery) -> None:
    zone.txt("_dso._usef.grid.example", ONE)

    assert source.keys("DSO", "grid.example") == (raw_key(1),)
    assert source.keys("AGR", "grid.example") == ()


def test_the_version(zone: Zone, source: DnsDiscovery) -> None:
    zone.txt("_usef.agr.example", "3.1.0")

    assert source.version("agr.example") == "3.1.0"
    assert source.version("other.example") is None


@pytest.mark.parametrize("major", [3, 4])
def test_the_endpoint_is_the_host_of_the_cname(zone: Zone, source: DnsDiscovery, major: int) -> None:
    zone.cname("_http._agr._usef.agr.example", "Uftp.Hosting.example.")

    assert (
        source.endpoint("AGR", "agr.example", major)
        == f"https://uftp.hosting.example/shapeshifter/api/v{major}/message"
    )


def test_no_endpoint_is_published(zone: Zone, source: DnsDiscovery) -> None:
    zone.txt("_http._agr._usef.agr.example", "no CNAME here")

    assert source.endpoint("AGR", "agr.example", 3) is None
    assert source.endpoint("AGR", "other.example", 3) is None


@pytest.mark.parametrize("target", ["localhost.", "127.0.0.1.", "db.internal."])
def test_an_endpoint_inside_is_not_posted_to(
    zone: Zone, source: DnsDiscovery, settings: Settings, target: str
) -> None:
    settings.UFTP_ALLOW_PRIVATE_ENDPOINTS = False
    zone.cname("_http._agr._usef.agr.example", target)

    with pytest.raises(DiscoveryFailed, match="give"):
        source.endpoint("AGR", "agr.example", 3)


@pytest.mark.parametrize("trouble", [BROKEN, SILENT])
def test_trouble_in_dns_fails(zone: Zone, source: DnsDiscovery, trouble: str) -> None:
    zone.trouble = dict.fromkeys(["_agr._usef.agr.example", "_http._agr._usef.agr.example"], trouble)

    with pytest.raises(DiscoveryFailed, match="no TXT answer"):
        source.keys("AGR", "agr.example")
    with pytest.raises(DiscoveryFailed, match="no CNAME answer"):
        source.endpoint("AGR", "agr.example", 3)


@pytest.mark.parametrize("domain", ["a" * 64 + ".example", "a." * 123 + "example"])
def test_a_name_too_long_for_dns_fails(source: DnsDiscovery, domain: str) -> None:
    with pytest.raises(DiscoveryFailed):
        source.keys("AGR", domain)


def test_a_sender_is_known_by_its_record(zone: Zone, source: DnsDiscovery, db: None) -> None:
    zone.txt("_agr._usef.agr.example", ONE)

    assert find_keys("AGR", "agr.example", NOW, source).keys == (raw_key(1),)


def test_discovery_is_off_unless_switched_on(settings: Settings) -> None:
    assert isinstance(discovery.configured(), NoDiscovery)
    settings.DISCOVERY_DNS = True
    assert isinstance(discovery.configured(), DnsDiscovery)


def test_without_discovery_nobody_publishes_anything() -> None:
    assert NoDiscovery().keys("AGR", "agr.example") == ()
    assert NoDiscovery().endpoint("AGR", "agr.example", 3) is None


def test_the_systems_resolver_is_asked_where_none_is_given(
    zone: Zone, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setattr(dns.resolver, "default_resolver", zone.resolver)
    settings.DISCOVERY_DNS = True
    zone.txt("_agr._usef.agr.example", ONE)

    assert discovery.configured().keys("AGR", "agr.example") == (raw_key(1),)
