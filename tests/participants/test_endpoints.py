"""Which endpoints and addresses messages may be posted to."""

import pytest
from pytest_django import Settings

from participants.endpoints import EndpointRefused, check_endpoint, check_resolved_address

PUBLIC = [
    "https://uftp.agr.example/shapeshifter/api/v3/message",
    "https://uftp.agr.example:8443/in?from=cro",
    "https://UFTP.agr.example./",
    "https://xn--bcher-kva.example/",
    "https://93.184.216.34/message",
    "https://[2606:2800:220:1:248:1893:25c8:1946]/message",
]
PRIVATE = [
    "http://uftp.agr.example/",
    "https://localhost/",
    "https://agr.localhost/",
    "https://agr/",
    "https://db.internal./",
    "https://127.0.0.1/",
    "https://127.1.2.3:8000/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1/",
    "https://0.0.0.0/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::1]/",
    "https://[::]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fd00::1]/",
    "https://[ff02::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[2002:7f00:1::]/",
    "https://[64:ff9b::7f00:1]/",
]
NEVER = [
    "",
    "agr.example",
    "//agr.example/",
    "ftp://agr.example/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://",
    "https:///message",
    "https://user:secret@agr.example/",
    "https://agr.example@127.0.0.1/",
    "https://agr.example/#there",
    "https://agr.example/a b",
    "https://agr.example/\n",
    "https://agr.example\\@127.0.0.1/",
    "https://b\u00fccher.example/",
    "https://agr.example:99999/",
    "https://agr.example:0/",
    "https://agr.example:port/",
    "https://[::1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://127.1/",
    "https://0177.0.0.1/",
    "https://127.0.0.1./",
    "https://a..example/",
]


@pytest.mark.parametrize("url", PUBLIC)
def test_public(settings: Settings, url: str) -> None:
    settings.UFTP_ALLOW_PRIVATE_ENDPOINTS = False

    check_endpoint(url)


@pytest.mark.parametrize("url", PRIVATE)
def test_private_where_the_operator_allows_it(settings: Settings, url: str) -> None:
    settings.UFTP_ALLOW_PRIVATE_ENDPOINTS = False
    with pytest.raises(EndpointRefused, match="UFTP_ALLOW_PRIVATE_ENDPOINTS"):
        check_endpoint(url)

    settings.UFTP_ALLOW_PRIVATE_ENDPOINTS = True
    check_endpoint(url)


@pytest.mark.parametrize("allowed", [False, True])
@pytest.mark.parametrize("url", NEVER)
def test_never(settings: Settings, url: str, allowed: bool) -> None:
    settings.UFTP_ALLOW_PRIVATE_ENDPOINTS = allowed

    with pytest.raises(EndpointRefused, match="give"):
        check_endpoint(url)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "::1", "fe80::1%eth0", "::ffff:192.168.0.1"])
def test_a_name_that_resolves_to_a_private_address(settings: Settings, address: str) -> None:
    settings.UFTP_ALLOW_PRIVATE_ENDPOINTS = False
    with pytest.raises(EndpointRefused, match="not a public address"):
        check_resolved_address(address)

    settings.UFTP_ALLOW_PRIVATE_ENDPOINTS = True
    check_resolved_address(address)


def test_a_name_that_resolves_to_a_public_address(settings: Settings) -> None:
    settings.UFTP_ALLOW_PRIVATE_ENDPOINTS = False

    check_resolved_address("93.184.216.34")
