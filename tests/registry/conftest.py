"""The registry in its two forms: the time model, and the verbs on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.registry.time_model import TimeModel
from tests.registry.world import World


@pytest.fixture
def world(transactional_db: None) -> Iterator[World]:
    """The registry on PostgreSQL, empty, every verb in a transaction of its own."""
    world = World.start()
    yield world
    world.clear()


@pytest.fixture(params=["model", "registry"])
def registry(request: pytest.FixtureRequest, db: None) -> TimeModel | World:
    """The same example for both, so that the model too is held against what people expect."""
    return TimeModel() if request.param == "model" else World.start()
