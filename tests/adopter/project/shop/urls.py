"""Addresses of the shop."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls), path("console/", include("qu_workflows.console.urls"))]
