"""By which networks addresses are counted."""

import pytest

from common.networks import client_network, site_network


@pytest.mark.parametrize(
    ("address", "of_client", "of_site"),
    [
        ("203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/48"),
        ("", "", ""),
        ("unix:", "unix:", "unix:"),
    ],
)
def test_an_address_counts_by_the_network_of_its_client_and_its_site(
    address: str, of_client: str, of_site: str
) -> None:
    assert (client_network(address), site_network(address)) == (of_client, of_site)
