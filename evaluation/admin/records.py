"""What evaluation has recorded, to be looked at: everything here is written by the pages and the workers alone."""

from __future__ import annotations

from django.contrib import admin

from evaluation.models import Arm, Dataset, DatasetImport, DatasetVersion, Experiment, Run, Workflow
from panels.admin import ReadOnly


class ArmInline(ReadOnly, admin.TabularInline[Arm, Experiment]):
    model = Arm
    ordering = ["position"]


@admin.register(Workflow)
class WorkflowAdmin(ReadOnly, admin.ModelAdmin[Workflow]):
    list_display = ["name", "data_class", "created_at"]
    ordering = ["name", "pk"]


@admin.register(Dataset)
class DatasetAdmin(ReadOnly, admin.ModelAdmin[Dataset]):
    list_display = ["name", "workflow", "created_at"]
    list_select_related = ["workflow"]
    ordering = ["name", "pk"]


@admin.register(DatasetVersion)
class DatasetVersionAdmin(ReadOnly, admin.ModelAdmin[DatasetVersion]):
    list_display = ["dataset", "number", "answer_kind", "scorer", "example_count", "published_at"]
    list_select_related = ["dataset"]
    ordering = ["-created_at", "-pk"]


@admin.register(DatasetImport)
class DatasetImportAdmin(ReadOnly, admin.ModelAdmin[DatasetImport]):
    list_display = ["dataset", "state", "phase", "created_at", "ended_at"]
    list_select_related = ["dataset"]
    ordering = ["-created_at", "-pk"]


@admin.register(Experiment)
class ExperimentAdmin(ReadOnly, admin.ModelAdmin[Experiment]):
    list_display = ["title", "workflow", "replies", "created_at"]
    list_select_related = ["workflow"]
    ordering = ["-created_at", "-pk"]
    inlines = [ArmInline]


@admin.register(Run)
class RunAdmin(ReadOnly, admin.ModelAdmin[Run]):
    list_display = ["experiment", "number", "state", "answers_wanted", "created_at", "finished_at"]
    list_select_related = ["experiment"]
    ordering = ["-created_at", "-pk"]
