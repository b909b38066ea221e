"""Searches in the XML of messages."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from uftp.models.messages import Sender


class MessageSearch(models.Model):
    """A search for a text in the XML of one sender's messages of some days, done by a worker.

    A worker first writes down which messages it is about. A search that was interrupted goes on after those that are
    `read`. `found` are the primary keys of the messages that have the text, the newest first, and `places` say where
    each has it, such as `EntityAddress of Connection`; "" where no value has it, but the XML as it is written.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waits for a worker"
        RUNNING = "running", "Under way"
        DONE = "done", "Done"
        CUT = "cut", "Ended at its limit"

    sender = models.ForeignKey(Sender, on_delete=models.PROTECT, related_name="+")
    text = models.CharField(max_length=600)
    first_day = models.DateField()
    last_day = models.DateField()
    begin = models.DateTimeField(help_text="Beginning of the first day")
    end = models.DateTimeField(help_text="End of the last day")
    actor = models.CharField(max_length=150)
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    messages = ArrayField(
        models.BigIntegerField(),
        null=True,
        help_text="Primary keys of the messages to read; null: not known yet",
    )
    total = models.PositiveIntegerField(default=0, help_text="Messages to read")
    read = models.PositiveIntegerField(default=0, help_text="Messages read so far")
    read_bytes = models.BigIntegerField(default=0)
    found = ArrayField(models.BigIntegerField(), default=list)
    places = ArrayField(models.TextField(), default=list)

    class Meta:
        ordering = ["-id"]
        verbose_name = "search in messages"
        verbose_name_plural = "searches in messages"
        indexes = [
            models.Index(
                fields=["id"],
                name="message_search_unfinished",
                condition=models.Q(state__in=("waiting", "running")),
            )
        ]

    def __str__(self) -> str:
        return f"search {self.pk}"
