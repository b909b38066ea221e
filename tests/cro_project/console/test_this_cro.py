"""The page "This CRO": what participants need to know of it."""

import base64

from django.contrib.auth.models import User
from django.test import Client

from participants.keys import public_key_of_seed

KEY = base64.b64encode(public_key_of_seed(bytes(range(32)))).decode()
"""The public key to the private key of `tests.settings`."""


def test_it_has_the_key_in_both_forms_the_domain_the_addresses_and_the_versions(
    db: None, client: Client
) -> None:
    client.force_login(User.objects.create_user("lee", is_staff=True))

    page = client.get("/admin/this-cro/").content.decode()

    for said in (
        f"cs1.{KEY}",
        KEY,
        "cro.example",
        "http://testserver/shapeshifter/api/v3/message",
        "http://testserver/shapeshifter/api/v4/message",
        "3.0.0, 3.1.0, 4.0.0",
    ):
        assert f"<code>{said}</code>" in page, said
        assert f'data-copy="{said}"' in page, said
    assert base64.b64encode(bytes(range(32))).decode() not in page
    assert '<a href="/admin/this-cro/">This CRO</a>' in client.get("/admin/").content.decode()
