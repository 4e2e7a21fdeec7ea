"""Human review, to be looked at. Nothing here tells a side from an arm: what would (the seed) is left out."""

from __future__ import annotations

from django.contrib import admin

from evaluation.models import (
    Adjudication,
    ReviewAssignment,
    ReviewItem,
    ReviewSession,
    ReviewSlot,
    ReviewVote,
    RubricVersion,
)
from panels.admin import ReadOnly


@admin.register(ReviewSession)
class ReviewSessionAdmin(ReadOnly, admin.ModelAdmin[ReviewSession]):
    list_display = ["title", "workflow", "state", "method", "created_at", "closed_at"]
    list_select_related = ["workflow"]
    list_filter = ["state", "method", "workflow"]
    search_fields = ["title"]
    ordering = ["-created_at", "-pk"]
    exclude = ["seed"]


@admin.register(ReviewAssignment)
class ReviewAssignmentAdmin(ReadOnly, admin.ModelAdmin[ReviewAssignment]):
    list_display = ["session", "person", "role", "calibrated_at", "paused_at"]
    list_select_related = ["session", "person"]
    list_filter = ["role"]
    search_fields = ["person__username", "session__title"]
    ordering = ["-created_at", "-pk"]


@admin.register(ReviewItem)
class ReviewItemAdmin(ReadOnly, admin.ModelAdmin[ReviewItem]):
    list_display = ["session", "position", "kind", "wanted", "dispute"]
    list_select_related = ["session"]
    list_filter = ["kind"]
    ordering = ["-session_id", "position"]


@admin.register(ReviewSlot)
class ReviewSlotAdmin(ReadOnly, admin.ModelAdmin[ReviewSlot]):
    """Without the token: who has it can vote."""

    list_display = ["session", "item", "number", "state", "person", "rater"]
    list_select_related = ["session", "item", "person"]
    list_filter = ["state"]
    ordering = ["-pk"]
    exclude = ["lease_token"]


@admin.register(ReviewVote)
class ReviewVoteAdmin(ReadOnly, admin.ModelAdmin[ReviewVote]):
    list_display = ["slot", "revision", "phase", "facts_a", "facts_b", "preference", "created_at"]
    list_select_related = ["slot"]
    list_filter = ["phase", "flagged"]
    ordering = ["-created_at", "-pk"]
    exclude = ["first_is_a"]


@admin.register(Adjudication)
class AdjudicationAdmin(ReadOnly, admin.ModelAdmin[Adjudication]):
    list_display = ["item", "by", "first_facts", "second_facts", "preference", "created_at"]
    list_select_related = ["item", "by"]
    ordering = ["-created_at", "-pk"]


@admin.register(RubricVersion)
class RubricVersionAdmin(ReadOnly, admin.ModelAdmin[RubricVersion]):
    list_display = ["name", "number", "sha256", "created_at"]
    search_fields = ["name"]
    ordering = ["name", "-number"]
