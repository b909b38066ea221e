"""Client certificates as they are stored: never with a key in clear beside them."""

from importlib import import_module

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from participants.models import DeliverySettings
from tests.support.peer import Peer
from tests.support.tls import Authority

pytestmark = pytest.mark.django_db

CONSTRAINT = "delivery_settings_certificate_without_key"


def stored(domain: str, certificate: str) -> DeliverySettings:
    participant = Peer("AGR", domain).register("https://localhost:9/x/api/v3/message")
    return DeliverySettings.objects.create(
        participant=participant,
        client_certificate=certificate,
        client_key="encrypted",
        changed_at=timezone.now(),
    )


def test_the_database_holds_no_key_beside_a_certificate() -> None:
    chain, key = Authority().client()
    with transaction.atomic(), pytest.raises(IntegrityError, match=CONSTRAINT), transaction.atomic():
        stored("agr.example", chain + key)
    assert stored("agr2.example", chain).client_certificate == chain


def test_the_migration_deletes_keys_that_were_stored_beside_a_certificate() -> None:
    chain, key = Authority().client()
    assert chain.count("BEGIN CERTIFICATE") >= 1
    migration = import_module("participants.migrations.0013_certificates_without_keys")
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE participants_deliverysettings DROP CONSTRAINT {CONSTRAINT}")
        rows = [
            stored("before.example", f"the key:\n{key}\n{chain}"),
            stored("after.example", chain + "\r\n" + key.replace("\n", "\r\n")),
            stored("alone.example", chain),
        ]
        cursor.execute(migration.KEEP_CERTIFICATES)
    for row in rows:
        row.refresh_from_db()
        assert row.client_certificate.strip() == chain.strip()
        assert row.client_key == "encrypted"
