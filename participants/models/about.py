"""Rows that name the object that they are about."""

from __future__ import annotations

from typing import TypeVar

from django.contrib.contenttypes.models import ContentType
from django.db import models

M = TypeVar("M", bound=models.Model)


class AboutQuerySet(models.QuerySet[M]):
    """Rows that name their object by `content_type` and `object_pk`."""

    def about(self, row: models.Model) -> AboutQuerySet[M]:
        """Return the rows whose object is `row`."""
        return self.filter(content_type=ContentType.objects.get_for_model(row), object_pk=str(row.pk))
