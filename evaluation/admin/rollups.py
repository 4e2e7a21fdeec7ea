"""What monitoring reads, to be looked at where its figures are doubted: the sweep alone writes it."""

from __future__ import annotations

from django.contrib import admin

from evaluation.admin.records import ManyRecords
from evaluation.models import AnswerRollup, CallRollup, RollupDue, RollupState


@admin.register(CallRollup)
class CallRollupAdmin(ManyRecords, admin.ModelAdmin[CallRollup]):
    list_display = ["starts_at", "grain", "panel_version", "model", "role", "calls"]
    ordering = ["-pk"]
    list_select_related = ["panel_version__panel", "model"]
    list_filter = ["grain", "role"]


@admin.register(AnswerRollup)
class AnswerRollupAdmin(ManyRecords, admin.ModelAdmin[AnswerRollup]):
    list_display = ["starts_at", "grain", "panel_version", "answers", "failed"]
    ordering = ["-pk"]
    list_select_related = ["panel_version__panel"]
    list_filter = ["grain"]


@admin.register(RollupDue)
class RollupDueAdmin(ManyRecords, admin.ModelAdmin[RollupDue]):
    list_display = ["hour"]
    ordering = ["-pk"]


@admin.register(RollupState)
class RollupStateAdmin(ManyRecords, admin.ModelAdmin[RollupState]):
    list_display = ["swept_at"]
    ordering = ["pk"]
