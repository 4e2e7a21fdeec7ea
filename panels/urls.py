from __future__ import annotations

from django.urls import path

from panels.views import audit, change_requests, models, panels, providers, versions

app_name = "panels"

urlpatterns = [
    path("audit/", audit.list_all, name="audit"),
    path("models/", models.list_all, name="models"),
    path("models/new/", models.create, name="model-create"),
    path("models/<int:pk>/", models.show, name="model"),
    path("models/<int:pk>/edit/", models.edit, name="model-edit"),
    path("models/<int:pk>/use/", models.set_use, name="model-use"),
    path("models/<int:pk>/retire/", models.retire, name="model-retire"),
    path("models/<int:pk>/bring-back/", models.bring_back, name="model-bring-back"),
    path("models/providers/", providers.list_all, name="providers"),
    path("models/providers/new/", providers.create, name="provider-create"),
    path("models/providers/<slug:slug>/", providers.show, name="provider"),
    path("models/providers/<slug:slug>/contracts/new/", providers.record, name="contract-record"),
    path("models/providers/<slug:slug>/edit/", providers.edit, name="provider-edit"),
    path("panels/", panels.list_all, name="panels"),
    path("panels/new/", panels.create, name="panel-create"),
    path("panels/<slug:slug>/", versions.show_latest, name="panel"),
    path("panels/<slug:slug>/new-version/", panels.create_version, name="version-create"),
    path("panels/<slug:slug>/v<int:number>/", versions.show, name="version"),
    path("panels/<slug:slug>/v<int:number>/spec.json", versions.export_spec, name="version-spec"),
    path("panels/<slug:slug>/v<int:number>/roll-back/", change_requests.go_back, name="roll-back"),
    path("changes/", change_requests.list_all, name="changes"),
    path("changes/waiting/", change_requests.count_waiting, name="changes-waiting"),
    path("changes/<int:pk>/", change_requests.show, name="change"),
    path("changes/<int:pk>/decide/", change_requests.decide, name="change-decide"),
    path("changes/<int:pk>/submit/", change_requests.submit, name="change-submit"),
    path("changes/<int:pk>/withdraw/", change_requests.withdraw, name="change-withdraw"),
    path("changes/<int:pk>/apply/", change_requests.apply, name="change-apply"),
    path("changes/<int:pk>/schedule/", change_requests.schedule, name="change-schedule"),
    path("changes/<int:pk>/unschedule/", change_requests.unschedule, name="change-unschedule"),
]
