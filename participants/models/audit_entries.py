"""The audit trail."""

from __future__ import annotations

from django.contrib.contenttypes.models import ContentType
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Now

from common.search import word_vector
from participants.models.about import AboutQuerySet


class AuditEntry(models.Model):
    """What a member of staff or a command changed: who, why, before and after. An entry is never edited.

    `content_type` and `object_pk` name the object that it is about. Both are empty if the object has no row.
    `subject` is the name of the object at that time. `participants` are the primary keys of the participants that it
    is about.
    """

    moment = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=100)
    subject = models.CharField(max_length=600)
    content_type = models.ForeignKey(
        ContentType, null=True, on_delete=models.PROTECT, related_name="+", db_index=False, editable=False
    )
    object_pk = models.CharField(max_length=40, blank=True, default="", db_default="", editable=False)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    participants = ArrayField(models.BigIntegerField(), default=list, editable=False)

    objects = AboutQuerySet["AuditEntry"].as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = "audit entry"
        verbose_name_plural = "audit trail"
        indexes = [
            models.Index(fields=["actor", "-id"], name="audit_actor"),
            models.Index(fields=["action", "-id"], name="audit_action"),
            models.Index(fields=["moment"], name="audit_moment"),
            models.Index(fields=["subject"], name="audit_subject", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["content_type", "object_pk", "-id"], name="audit_object"),
            GinIndex(fields=["participants"], name="audit_participants", fastupdate=False),
            models.Index(KeyTransform("change", "after"), name="audit_change"),
            GinIndex(word_vector("reason"), name="audit_reason_words", condition=~Q(reason="")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(content_type__isnull=True, object_pk="")
                | Q(content_type__isnull=False) & ~Q(object_pk=""),
                name="audit_object_is_whole",
            )
        ]

    def __str__(self) -> str:
        return f"{self.action}: {self.subject}"
