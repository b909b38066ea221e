"""The client's address behind proxies: what X-Forwarded-For may hold, and who counts by it."""

from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.test import Client, override_settings

from cro_project.web.client_address import client_address, of_request
from tests.support import peer
from tests.support.peer import Peer
from tests.support.polling import wait_for
from tests.support.processes import serving
from uftp.models import Refusal
from uftp.receiving.refusals import PER_MINUTE, PER_MINUTE_AND_ADDRESS, RefusalRecord, record_refusal

PROXY = "10.0.0.1"
TRUSTED = [ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48"), ip_network("127.0.0.1")]
ROUTE = "/shapeshifter/api/v3/message"

FORWARDED = {
    "203.0.113.7": "203.0.113.7",
    "203.0.113.7:51234": "203.0.113.7",
    "[2001:db8::1]:443": "2001:db8::1",
    "[2001:db8::1]": "2001:db8::1",
    "2001:DB8:0::1": "2001:db8::1",
    "fe80::1%eth0": "fe80::1",
    "::ffff:203.0.113.7": "203.0.113.7",
    "unknown": PROXY,
    "": PROXY,
    "_hidden": PROXY,
    "203.0.113.7:port": PROXY,
    "203.0.113.256": PROXY,
    # A client writes what it likes on the left; the proxies write on the right.
    "198.51.100.1, 203.0.113.7:51234": "203.0.113.7",
    "198.51.100.1, unknown": PROXY,
    "198.51.100.1,": PROXY,
    "unknown, 203.0.113.7": "203.0.113.7",
    "203.0.113.7, 10.0.0.2:80, [2001:db8:1::9]:443": "203.0.113.7",
    "10.0.0.3, 10.0.0.2": "10.0.0.3",
}


@pytest.mark.parametrize(("forwarded", "client"), FORWARDED.items(), ids=lambda text: text or "empty")
def test_the_client_is_the_last_address_that_is_no_trusted_proxy(forwarded: str, client: str) -> None:
    assert client_address(PROXY, forwarded, TRUSTED) == client


@pytest.mark.parametrize("stranger", ["203.0.113.9", "2001:db8:2::1", "", "unix"])
def test_of_a_peer_that_is_not_trusted_nothing_is_taken(stranger: str) -> None:
    assert client_address(stranger, "198.51.100.1", TRUSTED) == stranger


def test_a_proxy_is_trusted_in_both_notations() -> None:
    assert client_address("::ffff:10.0.0.1", "203.0.113.7", TRUSTED) == "203.0.113.7"


@pytest.mark.parametrize("address", ["", "unix:", "no address"])
def test_a_server_that_knows_no_address_of_its_peer_gives_none(address: str) -> None:
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = address

    assert of_request(request) is None


def test_only_a_trusted_proxy_states_the_scheme(client: Client, settings: Any) -> None:
    settings.TRUSTED_PROXIES, settings.SECURE_SSL_REDIRECT = ["10.0.0.0/8"], True
    by = {"X-Forwarded-Proto": "https"}

    assert client.get("/favicon.ico", REMOTE_ADDR=PROXY, headers=by)["Location"].startswith("/static/")
    assert client.get("/favicon.ico", REMOTE_ADDR="203.0.113.9", headers=by)["Location"].startswith("https:")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("203.0.113.7:{}", "203.0.113.7"),
        ("[2001:db8::1]:{}", "2001:db8::"),
        ("2001:db8:0:7:{}::1", "2001:db8:0:7::"),
        ("unknown", PROXY),
        ("", PROXY),
    ],
)
def test_the_log_in_lock_counts_by_address(
    client: Client, settings: Any, forwarded: str, address: str
) -> None:
    """A client has a whole /64 of IPv6 addresses."""
    settings.TRUSTED_PROXIES = [PROXY]
    User.objects.create_superuser("ann", password="right-ann")

    def log_in(port: int, word: str = "wrong") -> int:
        said = {"username": "ann", "password": word}
        by = {"X-Forwarded-For": forwarded.format(port)}
        with override_settings(AXES_ENABLED=True):
            return client.post("/admin/login/", said, REMOTE_ADDR=PROXY, headers=by).status_code

    assert [log_in(5_000 + number) for number in range(10)] == [200] * 9 + [429]
    assert log_in(5_010, "right-ann") == 429
    assert AccessAttempt.objects.get().ip_address == address


@pytest.mark.django_db
def test_the_limit_of_requests_counts_by_address(client: Client, settings: Any) -> None:
    settings.TRUSTED_PROXIES, settings.UFTP_REQUESTS_PER_MINUTE = [PROXY], 2
    sender = Peer()
    sender.register()

    def send(forwarded: str) -> int:
        by = {"X-Forwarded-For": forwarded}
        body = sender.envelope(sender.xml())
        return client.post(ROUTE, body, content_type="text/xml", REMOTE_ADDR=PROXY, headers=by).status_code

    statuses = [send(f"203.0.113.77:{port}") for port in range(51_000, 51_006)]

    # The minute may turn once meanwhile.
    assert statuses.count(200) <= 4
    assert 429 in statuses
    assert send("203.0.113.78:51234") == 200


@pytest.mark.django_db
def test_the_limit_of_requests_counts_by_ipv6_network(client: Client, settings: Any) -> None:
    settings.UFTP_REQUESTS_PER_MINUTE = 2
    sender = Peer()
    sender.register()

    def send(address: str) -> int:
        body = sender.envelope(sender.xml())
        return client.post(ROUTE, body, content_type="text/xml", REMOTE_ADDR=address).status_code

    statuses = [send(f"2001:db8:0:77:{number:x}::1") for number in range(6)]

    # The minute may turn once meanwhile.
    assert statuses.count(200) <= 4
    assert 429 in statuses
    assert send("2001:db8:0:78::1") == 200


@pytest.mark.django_db
def test_a_client_with_many_ipv6_addresses_leaves_room_for_refusals_of_others() -> None:
    at = datetime(2026, 7, 1, 12, tzinfo=UTC)
    sender = Peer()
    sender.register()

    def refuse(address: str) -> None:
        refused = RefusalRecord(
            at=at,
            address=address,
            role=sender.role,
            domain=sender.domain,
            major=3,
            status=401,
            line="no",
            size=1,
        )
        record_refusal(refused)

    for number in range(PER_MINUTE):
        refuse(f"2001:db8:0:77:{number:x}::1")
    refuse("2001:db8:0:78::1")

    assert Refusal.objects.count() == PER_MINUTE_AND_ADDRESS + 1
    assert Refusal.objects.filter(address="2001:db8:0:78::1").exists()


@pytest.mark.django_db(transaction=True)
def test_over_a_socket_the_address_is_in_the_log_and_with_the_refused_request() -> None:
    sender = Peer()
    sender.register()
    impostor = Peer(sender.role, sender.domain)
    values = {"203.0.113.7:51234": "203.0.113.7", "[2001:db8::1]:443": "2001:db8::1", "unknown": "127.0.0.1"}
    with serving("--workers", "1", TRUSTED_PROXIES="127.0.0.1") as web:
        for forwarded in values:
            answer = peer.post(
                web.port, impostor.envelope(sender.xml()), headers={"X-Forwarded-For": forwarded}
            )
            assert answer.status == 401
        wait_for("the last is stored, after its answer", lambda: Refusal.objects.count() == len(values))
        web.stop()
        log = web.log

    assert list(Refusal.objects.order_by("pk").values_list("address", flat=True)) == list(values.values())
    for address in values.values():
        assert f"from {sender.role} {sender.domain} at {address}: " in log
