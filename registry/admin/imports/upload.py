"""The pages on which staff upload a file, and decide what becomes of it once they have seen its preview."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_protect

from participants.admin_base.reasons import ReasonedAdmin, actor
from registry.admin.imports.upload_form import UploadForm, too_large
from registry.imports import uploads
from registry.imports.uploads import UploadError
from registry.models.imports import ImportRun

BESIDE_THE_FILE = 65_536
"""Bytes of a request's body that are no part of the file: the other fields."""

DECISIONS = {
    "apply": "It is applied as soon as a worker is free.",
    "allow": "It is previewed again, however much ends.",
    "skip": "It is previewed again, without the bad lines.",
    "again": "It is previewed again.",
    "discard": "Discarded: nothing was imported.",
}
"""What is sent as `do`, and what staff read when it is done."""


class UploadPages(ReasonedAdmin):
    """Mix-in of the imports' admin."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.decide_view)
        return [path("<path:object_id>/decide/", view, name="registry_importrun_decide"), *super().get_urls()]

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form; sent back, it keeps the file and leads to the page that follows its preview.

        Nothing of a body that is too large is read: not for the token against forgery either, which is looked for
        only then.
        """
        if not self.has_add_permission(request):
            raise PermissionDenied(
                "Importing needs the right to add imports, and to act for every participant."
            )
        said = str(request.META.get("CONTENT_LENGTH", ""))
        length = int(said) if said.isdecimal() else 0
        if length > settings.IMPORT_UPLOAD_MAX_BYTES + BESIDE_THE_FILE:
            form = UploadForm(initial=self._initial(request))
            return self._form(request, form, too_large=too_large(length), status=413)
        answer: HttpResponse = csrf_protect(self._upload)(request)
        return answer

    add_view.csrf_exempt = True  # type: ignore[attr-defined]

    def decide_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Does what is sent as `do` with an upload, and leads back to its page."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        run: ImportRun = self.row_or_404(request, object_id)
        do = request.POST.get("do", "")
        if request.method == "POST" and do in DECISIONS:
            try:
                done = self._decided(run, do, request)
            except UploadError as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                self.message_user(request, DECISIONS[do], messages.SUCCESS)
                if done.state == ImportRun.State.WAITING:
                    uploads.wake(done)
        return HttpResponseRedirect(self._url("change", run.pk))

    def _decided(self, run: ImportRun, do: str, request: HttpRequest) -> ImportRun:
        who = actor(request)
        match do:
            case "apply":
                return uploads.approve(run.pk, request.POST.get("fingerprint", ""), actor=who)
            case "discard":
                return uploads.discard(run.pk, actor=who)
        return uploads.preview_again(
            run.pk, allow_shrink=do == "allow", skip_bad_lines=do == "skip", actor=who
        )

    def _upload(self, request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            return self._form(request, UploadForm(initial=self._initial(request)))
        form = UploadForm(request.POST, request.FILES)
        if form.is_valid():
            try:
                run = uploads.keep(
                    form.cleaned_data["kind"],
                    form.upload,
                    form.cleaned_data["file"].name,
                    form.options,
                    actor=actor(request),
                    reason=form.cleaned_data["reason"],
                )
            except UploadError as error:
                form.add_error("file", str(error))
            else:
                uploads.wake(run)
                return HttpResponseRedirect(self._url("change", run.pk))
        return self._form(request, form)

    def _form(
        self, request: HttpRequest, form: UploadForm, *, too_large: str = "", status: int = 200
    ) -> HttpResponse:
        response = self.page(
            request,
            "admin/registry/upload.html",
            "Upload a file",
            form=form,
            too_large=too_large,
            submit="Upload and preview",
            cancel=self._url("changelist"),
        )
        response.status_code = status
        return response

    def _initial(self, request: HttpRequest) -> dict[str, Any]:
        """What the form starts with: as the upload was whose number is in the address, if it does."""
        number = request.GET.get("again", "")
        before = self.get_queryset(request).filter(pk=int(number)).first() if number.isdecimal() else None
        if before is None:
            return {}
        names = ("kind", "full", "allow_shrink", "skip_bad_lines", "reason")
        return {name: getattr(before, name) for name in names}
