"""The base of all our admin classes: own pages, a hook for the content of a row's page, extensions by other apps."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.text import capfirst

from participants.admin_base import extensions
from participants.admin_base.pages import Page


class BaseAdmin(admin.ModelAdmin[Any]):
    """Django's ModelAdmin, with `pages` and `page_context`."""

    pages: ClassVar[Sequence[Page]] = ()
    """The pages of the table besides Django's own. A page with the route of one of Django's replaces it. The first that
    matches an address is used."""

    def get_urls(self) -> list[URLPattern]:
        own = [*self.pages, *extensions.pages(self.model)]
        return [*(page.url(self) for page in own), *super().get_urls()]

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[Any]:
        return [*super().get_inlines(request, obj), *extensions.inlines(self.model)]

    def _get_base_actions(self) -> list[Any]:
        added = [self.get_action(action) for action in extensions.actions(self.model)]
        return [*super()._get_base_actions(), *filter(None, added)]  # type: ignore[misc]

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Return what the page of `row` shows besides its form. A subclass adds to the result of `super()`.

        `row` is None on the page that adds one.
        """
        return {}

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        context |= self.page_context(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def page(
        self, request: HttpRequest, template: str, title: str, *, row: Any = None, **context: Any
    ) -> TemplateResponse:
        """Return a page below the list of rows, or below the page of `row`. A `form` is shown with its errors."""
        trail = [(self.url_to("changelist"), capfirst(str(self.opts.verbose_name_plural)))]
        if row is not None:
            trail.append((self.url_to("change", row.pk), str(row)))
        form = context.get("form")
        return TemplateResponse(
            request,
            template,
            {
                **self.admin_site.each_context(request),
                "title": title,
                "trail": trail,
                "opts": self.opts,
                "row": row,
                "errors": form.errors if form is not None else None,
                **context,
            },
        )

    def url_to(self, name: str, *arguments: object) -> str:
        """Return the URL of a page of this table, by the end of the URL's name."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{name}", args=arguments)
