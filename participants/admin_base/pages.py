"""Pages of a table besides Django's own: views, each with its URL and the permission for it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path


def may_view(model_admin: Any, request: HttpRequest, row: Any = None) -> bool:
    """Return whether the user may look at the table."""
    return bool(model_admin.has_view_permission(request, row))


def may_view_table(request: HttpRequest, model: type[Model]) -> bool:
    """Return whether the user may view the rows of `model`, for pages of other tables."""
    return bool(request.user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}"))


def may_read(model_admin: Any, request: HttpRequest, row: Any = None) -> bool:
    """Return whether the user may look at the table; only for requests without a form."""
    return request.method in ("GET", "HEAD") and may_view(model_admin, request, row)


def may_change(model_admin: Any, request: HttpRequest, row: Any = None) -> bool:
    """Return whether the user may change the row, or rows of the table."""
    return bool(model_admin.has_change_permission(request, row))


def may_add(model_admin: Any, request: HttpRequest, row: Any = None) -> bool:
    """Return whether the user may add rows to the table."""
    return bool(model_admin.has_add_permission(request))


ROW = ("object_id", "pk")
"""The names of a row's key in a URL."""

CHANGE = "<path:object_id>/change/"
"""The route of the page of a row. A page with this route replaces Django's form."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page below the list of a table.

    Attributes:
        route: The address below the list. A page about one row has its key in it: `<path:object_id>` or
            `<int:pk>`.
        name: The end of the URL's name: `rotate` of `participants_participant_rotate`.
        view: Answers the request. It is called with the model admin, the request, the row (if the page is about one),
            and the other parts of the address by name.
        may: Returns whether this member of staff may have the page. It is called with the model admin, the request and
            the row.
        denied: The text for staff who may not have it.
    """

    route: str
    name: str
    view: Callable[..., HttpResponseBase]
    may: Callable[..., bool] = may_view
    denied: str = ""

    def url(self, model_admin: Any) -> URLPattern:
        """Return the page's URL pattern. Log-in, scope and permission are checked before the view."""

        @wraps(self.view)
        def checked(request: HttpRequest, **parts: Any) -> HttpResponseBase:
            keys = [parts.pop(name) for name in ROW if name in parts]
            rows = [model_admin.row_or_404(request, str(key)) for key in keys]
            if not self.may(model_admin, request, *rows):
                raise PermissionDenied(self.denied)
            return self.view(model_admin, request, *rows, **parts)

        name = f"{model_admin.opts.app_label}_{model_admin.opts.model_name}_{self.name}"
        pattern: URLPattern = path(self.route, model_admin.admin_site.admin_view(checked), name=name)
        return pattern
