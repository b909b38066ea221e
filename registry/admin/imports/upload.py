"""The pages on which staff upload a file, and approve or discard it after its preview."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from participants.admin_base.pages import Page, may_add
from participants.admin_base.reasons import actor
from participants.admin_base.scoped import ScopedAdmin
from registry.admin.imports.upload_form import UploadForm, too_large
from registry.imports import uploads
from registry.imports.uploads import UploadError
from registry.models.imports import ImportRun

BESIDE_THE_FILE = 65_536
"""How many bytes the other fields of a request's body may have."""

UPLOAD_ACTIONS = {
    "apply": "It is applied as soon as a worker is free.",
    "allow": "It is previewed again, however much ends.",
    "skip": "It is previewed again, without the bad lines.",
    "again": "It is previewed again.",
    "discard": "Discarded: nothing was imported.",
}
"""The values of `do` in the POST, with the message after each."""


@csrf_exempt
def add_view(model_admin: ScopedAdmin, request: HttpRequest) -> HttpResponse:
    """Show the form. After a POST, store the file and redirect to the page of its import.

    If the body is too large, nothing of it is read. So the CSRF token, which is in the body, is checked only after
    the size.
    """
    stated_length = str(request.META.get("CONTENT_LENGTH", ""))
    length = int(stated_length) if stated_length.isdecimal() else 0
    if length > settings.IMPORT_UPLOAD_MAX_BYTES + BESIDE_THE_FILE:
        form = UploadForm(initial=_initial(model_admin, request))
        return _form(model_admin, request, form, too_large=too_large(length), status=413)
    answer: HttpResponse = csrf_protect(partial(_upload, model_admin))(request)
    return answer


def action_view(model_admin: ScopedAdmin, request: HttpRequest, run: ImportRun) -> HttpResponse:
    """Do with an upload what `do` in the POST says, and redirect to its page."""
    do = request.POST.get("do", "")
    if request.method == "POST" and do in UPLOAD_ACTIONS:
        try:
            done = _act(run, do, request)
        except UploadError as error:
            model_admin.message_user(request, str(error), messages.ERROR)
        else:
            model_admin.message_user(request, UPLOAD_ACTIONS[do], messages.SUCCESS)
            if done.state == ImportRun.State.WAITING:
                uploads.wake(done)
    return HttpResponseRedirect(model_admin.url_to("change", run.pk))


def _act(run: ImportRun, do: str, request: HttpRequest) -> ImportRun:
    who = actor(request)
    match do:
        case "apply":
            return uploads.approve(run.pk, request.POST.get("fingerprint", ""), actor=who)
        case "discard":
            return uploads.discard(run.pk, actor=who)
    return uploads.preview_again(run.pk, allow_shrink=do == "allow", skip_bad_lines=do == "skip", actor=who)


def _upload(model_admin: ScopedAdmin, request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _form(model_admin, request, UploadForm(initial=_initial(model_admin, request)))
    form = UploadForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            run = uploads.store_upload(
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
            return HttpResponseRedirect(model_admin.url_to("change", run.pk))
    return _form(model_admin, request, form)


def _form(
    model_admin: ScopedAdmin,
    request: HttpRequest,
    form: UploadForm,
    *,
    too_large: str = "",
    status: int = 200,
) -> HttpResponse:
    response = model_admin.page(
        request,
        "admin/registry/upload.html",
        "Upload a file",
        form=form,
        too_large=too_large,
        submit="Upload and preview",
        cancel=model_admin.url_to("changelist"),
    )
    response.status_code = status
    return response


def _initial(model_admin: ScopedAdmin, request: HttpRequest) -> dict[str, Any]:
    """Return the initial values of the form: those of the upload whose number is in the address, if any."""
    number = request.GET.get("again", "")
    before = model_admin.get_queryset(request).filter(pk=int(number)).first() if number.isdecimal() else None
    if before is None:
        return {}
    names = ("kind", "full", "allow_shrink", "skip_bad_lines", "reason")
    return {name: getattr(before, name) for name in names}


PAGES = (
    Page(
        "add/",
        "add",
        add_view,
        may=may_add,
        denied="Importing needs the right to add imports, and to act for every participant.",
    ),
    Page("<path:object_id>/decide/", "decide", action_view, may=may_add),
)
