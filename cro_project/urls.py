"""Every route of the CRO."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls)]
if find_spec("uftp.urls"):
    urlpatterns.append(path("", include("uftp.urls")))
