"""The settings for processes that a test starts: the tests' own, on the test's database."""

import os
from datetime import datetime

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES

DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]

if moment := os.environ.get("TEST_NOW"):
    DEBUG, CRO_NOW = True, datetime.fromisoformat(moment)
