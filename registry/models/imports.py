"""Imports: the run of each file with its options and its result, and the files themselves."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

SHRUNK = "shrunk"
UNREADABLE = "unreadable"


class ImportRun(models.Model):
    """The run of one file: an import, a preview or a dry run.

    `actor` is who started it. `fingerprint` is that of the previewed consequences. A run that is under way has an
    advisory lock of its process: if the lock is free, the run was interrupted.

    `summary` has these keys:

    * `counts`: pairs of a text and a number, in the order in which they are shown
    * `warnings`: sentences
    * `first_rejects`: rows of line, column, rule and value
    * `consequences`: those of a preview, as `registry.previews.serialization` writes them
    * `told`: sentences on what else changed or would change
    * `stopped`: SHRUNK if a full file would end too much, UNREADABLE if the file is not of its kind
    * `previewed_at`, `decided_at`, `discarded_at`: moments in ISO 8601
    """

    class Kind(models.TextChoices):
        PARTICIPANTS = "participants", "Participants"
        CONGESTION_POINTS = "congestion points", "Congestion points"
        CONNECTIONS = "connections", "Connections"
        CONTRACTS = "contracts", "Contracts"

    class State(models.TextChoices):
        WAITING = "waiting", "Waits for a worker"
        RUNNING = "running", "Under way"
        PREVIEWED = "shown", "Preview is ready"
        APPLIED = "applied", "Applied"
        UNCHANGED = "unchanged", "Nothing to change"
        DRY = "dry", "Dry run"
        REFUSED = "refused", "Refused"
        FAILED = "failed", "Failed"
        INTERRUPTED = "interrupted", "Interrupted"
        DISCARDED = "discarded", "Discarded"

    kind = models.CharField(max_length=20, choices=Kind.choices)
    state = models.CharField(max_length=12, choices=State.choices, default=State.RUNNING)
    uploaded = models.BooleanField(default=False, help_text="From the admin; else by a command")
    applies = models.BooleanField(default=True, help_text="Off: a preview or a dry run")
    full = models.BooleanField(default=False)
    allow_shrink = models.BooleanField(default=False)
    skip_bad_lines = models.BooleanField(default=False)
    file_name = models.CharField(max_length=300)
    size = models.BigIntegerField(null=True, help_text="Size of the file as received, in bytes")
    content_hash = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of the file as received, in hex digits"
    )
    actor = models.CharField(max_length=300)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    tries = models.SmallIntegerField(default=0)
    step = models.CharField(max_length=60, blank=True, help_text="Step that is under way")
    lines = models.BigIntegerField(null=True)
    bad_lines = models.BigIntegerField(default=0)
    summary = models.JSONField(default=dict)
    message = models.TextField(blank=True, help_text="Why nothing was imported")
    fingerprint = models.CharField(max_length=64, blank=True)
    change = models.ForeignKey(
        "registry.Change", null=True, blank=True, on_delete=models.PROTECT, related_name="import_runs"
    )

    class Meta:
        verbose_name = "import"
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["state", "id"],
                name="import_run_unfinished",
                condition=models.Q(state__in=("waiting", "running", "shown")),
            ),
        ]

    def __str__(self) -> str:
        return f"import {self.pk} of {self.file_name}"

    @property
    def is_dry_run(self) -> bool:
        """Return whether the run never imports anything; an upload does so once it is approved."""
        return not self.uploaded and not self.applies


DRY_RUNS = models.Q(uploaded=False, applies=False)
"""The condition for the runs of which `is_dry_run` is true."""


class ImportFile(models.Model):
    """The files of a run, compressed by gzip: the uploaded file and its rejects.

    The uploaded file is deleted once the run is applied or discarded.
    """

    run = models.OneToOneField(ImportRun, primary_key=True, on_delete=models.CASCADE, related_name="file")
    content = models.BinaryField(null=True)
    rejects = models.BinaryField(null=True, help_text="CSV: line,column,rule,value")

    def __str__(self) -> str:
        return f"files of import {self.run_id}"
