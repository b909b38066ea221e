"""Fixtures that every test may use."""

import pytest
from django.conf import settings


@pytest.fixture
def cro_seed() -> bytes:
    """The 32-byte seed of the private key that the CRO signs with in tests."""
    assert settings.CRO_SIGNING_KEY
    return bytes(settings.CRO_SIGNING_KEY)
