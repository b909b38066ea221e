"""The form with which staff upload a file to be imported."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common.csv.importing import MAX_ENDED_SHARE, Options
from common.csv.reader import UnreadableFile
from participants.admin_base.reasons import ReasonForm
from registry.admin.imports.page import size_in_words
from registry.imports.file_kinds import KINDS
from registry.imports.upload_file import Upload, pack
from registry.imports.uploads import require_header
from registry.models.imports import ImportRun

FULL = "Full file: what it does not name ends"

MEANINGS = {
    ImportRun.Kind.PARTICIPANTS: "Who may send messages, with which key, to which endpoint.",
    ImportRun.Kind.CONGESTION_POINTS: "DSOs' congestion points with their connections, one line a connection.",
    ImportRun.Kind.CONNECTIONS: "Who represents which connection on which days.",
    ImportRun.Kind.CONTRACTS: "Contracts between DSOs and AGRs, one line a stretch of reserved power.",
}


def size_limit() -> str:
    """Return the size of the largest allowed upload, in words."""
    return size_in_words(settings.IMPORT_UPLOAD_MAX_BYTES)


def too_large(size: int) -> str:
    """Return the error for a file of `size` bytes, which is too large."""
    return (
        f"The file has {size_in_words(size)}, and at most {size_limit()} are taken here: pack it with gzip, split it,"
        " or import it by command."
    )


class UploadForm(ReasonForm):
    """The form for a file, its kind and the options of the import."""

    kind = forms.ChoiceField(
        label="What the file is of",
        widget=forms.RadioSelect,
        error_messages={"required": "Say what the file is of."},
    )
    file = forms.FileField(
        label="File",
        allow_empty_file=False,
        error_messages={"required": "Choose a file.", "empty": "The file is empty."},
    )
    full = forms.BooleanField(
        required=False,
        label=FULL,
        help_text="With today, and for all participants: representations; congestion points and connections in them;"
        " of participants, their admission. Without it, what the file does not name stays as it is.",
    )
    allow_shrink = forms.BooleanField(
        required=False,
        label=f"Allow that more than {MAX_ENDED_SHARE * 100:.0f}\N{NO-BREAK SPACE}% ends",
        help_text="For a full file. Without it, one that would end so much of what is there is refused: it may not be"
        " whole.",
    )
    skip_bad_lines = forms.BooleanField(
        required=False,
        label="Leave bad lines out",
        help_text="Without it, one bad line keeps the whole file out. Either way all bad lines are listed.",
    )

    upload: Upload
    """The file as it is stored, when the form is valid."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [  # type: ignore[attr-defined]
            (name, _label(name)) for name in ImportRun.Kind.values if name in KINDS
        ]
        file = self.fields["file"]
        file.help_text = (
            f"CSV in UTF-8, as it is or packed by gzip (.gz), of at most {size_limit()}."
            " Its first line names the columns."
        )
        file.widget.attrs |= {
            "accept": ".csv,.gz,text/csv,application/gzip",
            "data-at-most": str(settings.IMPORT_UPLOAD_MAX_BYTES),
            "data-too-large": f"This file is larger than {size_limit()}: pack it with gzip, split it, or import it by"
            " command.",
        }
        self.order_fields(["kind", "file", "full", "allow_shrink", "skip_bad_lines", "reason"])

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > settings.IMPORT_UPLOAD_MAX_BYTES:
            raise forms.ValidationError(too_large(file.size))
        return file

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        kind = KINDS.get(data.get("kind", ""))
        if kind and data.get("full") and not kind.supports_full:
            self.add_error("full", "A file of this kind is never a full one: what it does not name stays.")
        if data.get("allow_shrink") and not data.get("full"):
            self.add_error(
                "allow_shrink", f"Only with “{FULL}”: without that, what the file does not name stays."
            )
        if kind and data.get("file"):
            self.upload = pack(data["file"])
            try:
                require_header(self.upload, data["kind"])
            except UnreadableFile as error:
                self.add_error("file", str(error))
        return data

    @property
    def options(self) -> Options:
        """Return the options of the import, when the form is valid."""
        data = self.cleaned_data
        return Options(
            full=data["full"], allow_shrink=data["allow_shrink"], skip_bad_lines=data["skip_bad_lines"]
        )


def _label(name: str) -> SafeString:
    kind = ImportRun.Kind(name)
    return format_html(
        '<strong>{}</strong> <span class="quiet">{}</span> <code>{}</code>',
        kind.label,
        MEANINGS.get(kind, ""),
        ",".join(KINDS[name].columns),
    )
