from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

from fusion_site import views
from fusion_site.lib.csp import REPORT_PATH

admin.site.site_header = admin.site.site_title = "Quorum administration"

urlpatterns = [
    path("login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("healthz", views.check_health, name="health"),
    path(REPORT_PATH.removeprefix("/"), views.receive_csp_report, name="csp-report"),
    path("", include("panels.urls")),
    path("", include("evaluation.urls")),
]
