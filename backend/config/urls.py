"""URLs of the site."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

from api.views import BackOfficeGuardReportViewSet, MobileGuardReportViewSet, TaskRecordViewSet
from config.views import RefreshView, SignInView, healthz, home, livez
from core.views import ClientViewSet, GuardViewSet, PropertyViewSet, ShiftViewSet
from incidents.pages import incident_page
from reports.pages import report_page, signed_file

handler400 = "config.views.bad_request"
handler404 = "config.views.page_not_found"
handler500 = "config.views.server_error"

mobile = SimpleRouter(use_regex_path=False)
mobile.register("guard-reports", MobileGuardReportViewSet, "mobile-guard-report")

back_office = SimpleRouter(use_regex_path=False)
back_office.register("clients", ClientViewSet)
back_office.register("guards", GuardViewSet)
back_office.register("properties", PropertyViewSet)
back_office.register("shifts", ShiftViewSet)
back_office.register("guard-reports", BackOfficeGuardReportViewSet, "guard-report")
back_office.register("tasks", TaskRecordViewSet)

api: list[URLPattern | URLResolver] = [
    path("token/", SignInView.as_view(), name="token"),
    path("token/refresh/", RefreshView.as_view(), name="token-refresh"),
    path("mobile/", include(mobile.urls)),
    path("", include(back_office.urls)),
]
api_docs = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
]
urlpatterns = [
    path("", home, name="home"),
    path("healthz/", healthz, name="healthz"),
    path("livez/", livez, name="livez"),
    path("admin/", admin.site.urls),
    path("console/", include("qu_workflows.console.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("api/", include(api)),
    *([path("api/", include(api_docs))] if settings.API_DOCS else []),
    path("reports/<str:token>/", report_page, name="report-page"),
    path("incidents/<str:token>/", incident_page, name="incident-page"),
    path("files/<str:token>/<str:name>", signed_file, name="signed-file"),
]
