"""The routes that are the project's own."""

import pytest
from django.test import Client


@pytest.mark.django_db
def test_the_admin_asks_to_log_in(client: Client) -> None:
    answer = client.get("/admin/login/")

    assert answer.status_code == 200
