from __future__ import annotations

from django.urls import URLPattern, path

from evaluation.views import (
    answers,
    datasets,
    experiments,
    imports,
    overview,
    runs,
    workflows,
)

app_name = "evaluation"

urlpatterns: list[URLPattern] = [
    path("", overview.show_overview, name="overview"),
    path("workflows/<slug:slug>/", workflows.show_workflow, name="workflow"),
    path("datasets/", datasets.list_datasets, name="datasets"),
    path("datasets/upload/", imports.upload_dataset, name="dataset-upload"),
    path("datasets/imports/<int:pk>/", imports.show_import, name="import"),
    path("datasets/imports/<int:pk>/discard/", imports.discard, name="import-discard"),
    path("datasets/<slug:slug>/", datasets.show_dataset, name="dataset"),
    path("datasets/<slug:slug>/v<int:number>/", datasets.show_version, name="dataset-version"),
    path("experiments/", experiments.list_experiments, name="experiments"),
    path("experiments/new/", experiments.create_experiment, name="experiment-create"),
    path("runs/<int:pk>/", runs.show_run, name="run"),
    path("runs/<int:pk>/items/", runs.list_items, name="run-items"),
    path("runs/<int:pk>/export.<str:kind>", runs.export_run, name="run-export"),
    path("runs/<int:pk>/pause/", runs.pause, name="run-pause"),
    path("runs/<int:pk>/resume/", runs.resume, name="run-resume"),
    path("runs/<int:pk>/cancel/", runs.cancel, name="run-cancel"),
    path("runs/<int:pk>/retry/", runs.retry, name="run-retry"),
    path("runs/<int:pk>/repeat/", runs.repeat, name="run-repeat"),
    path("answers/<int:pk>/", answers.show_answer, name="answer"),
    path("panels/<slug:slug>/answers/", answers.list_of_panel, name="panel-answers"),
]
