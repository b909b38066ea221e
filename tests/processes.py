"""The settings for processes that a test starts: the tests' own, on the test's database."""

import os
from datetime import datetime

import dns.resolver

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES

DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]

if moment := os.environ.get("TEST_NOW"):
    DEBUG, CRO_NOW = True, datetime.fromisoformat(moment)

if port := os.environ.get("TEST_NAME_SERVER"):  # the port of a `tests.support.zone`
    DISCOVERY_DNS = True
    dns.resolver.default_resolver = dns.resolver.Resolver(configure=False)
    dns.resolver.default_resolver.nameservers = ["127.0.0.1"]
    dns.resolver.default_resolver.port = int(port)
