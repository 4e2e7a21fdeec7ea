"""What evaluation has recorded, to be looked at: everything here is written by the pages and the workers alone."""

from __future__ import annotations

from django.contrib import admin

from evaluation.models import (
    Answer,
    ApiKey,
    Arm,
    ArmProgress,
    Batch,
    Calibration,
    Call,
    Dataset,
    DatasetImport,
    DatasetVersion,
    Example,
    Experiment,
    Lease,
    LiveRequest,
    RecordedOutput,
    Run,
    RunResult,
    Workflow,
)
from panels.admin import ReadOnly


class ArmInline(ReadOnly, admin.TabularInline[Arm, Experiment]):
    model = Arm
    ordering = ["position"]


@admin.register(Workflow)
class WorkflowAdmin(ReadOnly, admin.ModelAdmin[Workflow]):
    list_display = ["name", "data_class", "created_at"]
    list_filter = ["data_class"]
    search_fields = ["name", "slug"]
    ordering = ["name", "pk"]


@admin.register(Dataset)
class DatasetAdmin(ReadOnly, admin.ModelAdmin[Dataset]):
    list_display = ["name", "workflow", "created_at"]
    list_filter = ["workflow"]
    search_fields = ["name", "slug"]
    list_select_related = ["workflow"]
    ordering = ["name", "pk"]


@admin.register(DatasetVersion)
class DatasetVersionAdmin(ReadOnly, admin.ModelAdmin[DatasetVersion]):
    list_display = ["dataset", "number", "answer_kind", "scorer", "example_count", "published_at"]
    list_filter = ["answer_kind", "scorer"]
    search_fields = ["dataset__name"]
    list_select_related = ["dataset"]
    ordering = ["-created_at", "-pk"]


@admin.register(DatasetImport)
class DatasetImportAdmin(ReadOnly, admin.ModelAdmin[DatasetImport]):
    list_display = ["dataset", "state", "phase", "created_at", "ended_at"]
    list_filter = ["state"]
    list_select_related = ["dataset"]
    ordering = ["-created_at", "-pk"]


@admin.register(Experiment)
class ExperimentAdmin(ReadOnly, admin.ModelAdmin[Experiment]):
    list_display = ["title", "workflow", "replies", "created_at"]
    list_filter = ["workflow", "replies"]
    search_fields = ["title"]
    list_select_related = ["workflow"]
    ordering = ["-created_at", "-pk"]
    inlines = [ArmInline]


@admin.register(Arm)
class ArmAdmin(ReadOnly, admin.ModelAdmin[Arm]):
    list_display = ["experiment", "position", "name", "panel_version", "is_baseline"]
    list_select_related = ["experiment", "panel_version"]
    search_fields = ["name"]
    ordering = ["-experiment_id", "position"]


@admin.register(Run)
class RunAdmin(ReadOnly, admin.ModelAdmin[Run]):
    list_display = ["experiment", "number", "state", "answers_wanted", "created_at", "finished_at"]
    list_filter = ["state"]
    search_fields = ["experiment__title"]
    list_select_related = ["experiment"]
    ordering = ["-created_at", "-pk"]


@admin.register(RunResult)
class RunResultAdmin(ReadOnly, admin.ModelAdmin[RunResult]):
    list_display = ["run", "format", "computed_at"]
    list_select_related = ["run"]
    ordering = ["-computed_at", "-pk"]


@admin.register(Calibration)
class CalibrationAdmin(ReadOnly, admin.ModelAdmin[Calibration]):
    list_display = ["panel_version", "run", "method", "n", "error", "created_at"]
    list_select_related = ["panel_version", "run"]
    list_filter = ["method"]
    ordering = ["-created_at", "-pk"]


@admin.register(ArmProgress)
class ArmProgressAdmin(ReadOnly, admin.ModelAdmin[ArmProgress]):
    list_display = ["run", "arm", "done", "failed", "abstained", "calls"]
    list_select_related = ["run", "arm"]
    ordering = ["-pk"]


@admin.register(Batch)
class BatchAdmin(ReadOnly, admin.ModelAdmin[Batch]):
    list_display = ["run", "number", "first_position", "last_position", "state", "retry"]
    list_select_related = ["run"]
    list_filter = ["state", "retry"]
    ordering = ["-pk"]
    exclude = ["lease"]


@admin.register(Lease)
class LeaseAdmin(ReadOnly, admin.ModelAdmin[Lease]):
    """Without the token: who has it can end the lease."""

    list_display = ["run", "worker", "slots", "created_at", "expires_at", "ended_at"]
    list_select_related = ["run"]
    ordering = ["-pk"]
    exclude = ["token"]


class ManyRecords(ReadOnly):
    """A table of millions: the newest rows first, and nothing that would have to count them all."""

    list_per_page = 50
    show_full_result_count = False


@admin.register(Example)
class ExampleAdmin(ManyRecords, admin.ModelAdmin[Example]):
    list_display = ["item_id", "version", "position", "title"]
    ordering = ["-pk"]
    list_select_related = ["version"]
    search_fields = ["item_id"]


@admin.register(RecordedOutput)
class RecordedOutputAdmin(ManyRecords, admin.ModelAdmin[RecordedOutput]):
    list_display = ["example", "model", "predicted", "correct"]
    ordering = ["-pk"]
    list_select_related = ["example", "model"]
    list_filter = ["correct"]


@admin.register(Answer)
class AnswerAdmin(ManyRecords, admin.ModelAdmin[Answer]):
    list_display = ["id", "run", "arm", "position", "outcome", "strategy"]
    ordering = ["-pk"]
    list_select_related = ["run", "arm"]
    list_filter = ["outcome", "strategy"]


@admin.register(Call)
class CallAdmin(ManyRecords, admin.ModelAdmin[Call]):
    list_display = ["answer", "model", "role", "attempt", "outcome", "created_at"]
    ordering = ["-pk"]
    list_select_related = ["answer", "model"]
    list_filter = ["role", "outcome"]


@admin.register(LiveRequest)
class LiveRequestAdmin(ManyRecords, admin.ModelAdmin[LiveRequest]):
    """Without the map of placeholders, encrypted or not."""

    list_display = ["answer", "panel_version", "answer_kind", "masked", "created_at"]
    ordering = ["-pk"]
    list_select_related = ["answer", "panel_version"]
    list_filter = ["answer_kind", "masked"]
    exclude = ["vault"]


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly, admin.ModelAdmin[ApiKey]):
    """They are made and revoked on their own page."""

    list_display = ["name", "prefix", "created_by", "created_at", "expires_at", "revoked_at", "last_used_at"]
    list_select_related = ["created_by"]
    search_fields = ["name", "prefix"]
    ordering = ["-created_at", "-pk"]
    exclude = ["secret_hash"]
