from __future__ import annotations

from django.db import models
from django.db.models import Q

from evaluation.models.answer import Answer
from evaluation.models.example import RecordedOutput
from panels.models import Contract, LanguageModel, ModelPrice


class Call(models.Model):
    """One request to one model for one answer.

    A reused reply points at the call that bought it (``reused_from``), a replayed one at the imported output
    (``recorded_output``); the text stands there, once, and ``text`` is empty here. ``cost_nanousd`` is the list cost,
    ``spent_nanousd`` what this run paid: 0 if reused or replayed, null if unknown. ``reply_key`` stands only with the
    call that bought the reply. ``group`` is the index of the ballot's group in order of support; null is an
    abstention. ``offset_s`` is when its stage began, in seconds after the answer's first; waiting for a slot of the
    run is not in it. An arbiter's calls stand at ``ARBITER_SEAT``, in the stage after the last one called, and have
    neither ballot nor weight. ``placeholders`` is how many placeholders a reply to a masked prompt holds,
    ``placeholders_lost`` how many of them stand for nothing; null where nothing was masked, and the second also where
    the model saw no placeholders: in-house, or recorded before. ``price`` is what its cost was worked out with, null
    where the price is unknown or came with a dataset. ``contract`` is what was agreed with the provider when it was
    asked, null where nobody was. ``region`` is where the provider says that the reply was made, ``region_allowed``
    whether the contract allows that, ``served_by`` whom a reseller passed the request on to.
    """

    class Role(models.TextChoices):
        MEMBER = "member", "Member"
        ARBITER = "arbiter", "Arbiter"

    OK = "ok"
    ARBITER_SEAT = 0

    answer = models.ForeignKey(Answer, on_delete=models.CASCADE, related_name="calls")
    model = models.ForeignKey(LanguageModel, on_delete=models.PROTECT, related_name="calls")
    role = models.CharField(max_length=8, choices=Role, default=Role.MEMBER)
    stage = models.PositiveSmallIntegerField()
    seat = models.PositiveSmallIntegerField()
    attempt = models.PositiveSmallIntegerField(default=1)
    outcome = models.CharField(max_length=20, help_text="ok, or the kind of failure")
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    detail = models.CharField(max_length=300, blank=True)
    text = models.TextField(blank=True)
    reply_key = models.CharField(max_length=64, blank=True)
    reused_from = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="reused_by")
    recorded_output = models.ForeignKey(
        RecordedOutput, null=True, blank=True, on_delete=models.PROTECT, related_name="calls"
    )
    ballot = models.TextField(null=True, blank=True)  # noqa: DJ001 - null is an abstention, "" is an answer
    group = models.PositiveSmallIntegerField(null=True, blank=True)
    weight = models.FloatField(default=1.0)
    prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(null=True, blank=True)
    cached_tokens = models.PositiveIntegerField(null=True, blank=True)
    reasoning_tokens = models.PositiveIntegerField(null=True, blank=True)
    cost_nanousd = models.BigIntegerField(null=True, blank=True)
    spent_nanousd = models.BigIntegerField(null=True, blank=True)
    reported_cost_nanousd = models.BigIntegerField(null=True, blank=True)
    offset_s = models.FloatField(null=True, blank=True)
    latency_s = models.FloatField(null=True, blank=True)
    first_token_s = models.FloatField(null=True, blank=True)
    finish_reason = models.CharField(max_length=40, blank=True)
    provider_model = models.CharField(max_length=200, blank=True)
    response_id = models.CharField(max_length=200, blank=True)
    region = models.CharField(max_length=60, blank=True)
    region_allowed = models.BooleanField(null=True, blank=True)
    served_by = models.CharField(max_length=200, blank=True)
    # Without an index, which every call would pay for: rows of prices and contracts are never removed.
    price = models.ForeignKey(
        ModelPrice, null=True, blank=True, on_delete=models.PROTECT, related_name="calls", db_index=False
    )
    contract = models.ForeignKey(
        Contract, null=True, blank=True, on_delete=models.PROTECT, related_name="calls", db_index=False
    )
    placeholders = models.PositiveSmallIntegerField(null=True, blank=True)
    placeholders_lost = models.PositiveSmallIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="call_unique", fields=["answer", "role", "seat", "attempt"]),
            models.CheckConstraint(name="call_attempt_from_one", condition=Q(attempt__gte=1)),
            models.CheckConstraint(name="call_one_source", condition=Q(reused_from=None) | Q(recorded_output=None)),
            models.CheckConstraint(
                name="call_money_not_negative",
                condition=(Q(cost_nanousd=None) | Q(cost_nanousd__gte=0))
                & (Q(spent_nanousd=None) | Q(spent_nanousd__gte=0)),
            ),
            models.CheckConstraint(
                name="call_region_judged_by_contract",
                condition=Q(region_allowed=None) | (~Q(region="") & Q(contract__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(name="call_by_reply_key", fields=["reply_key"], condition=~Q(reply_key="")),
            models.Index(name="call_by_time", fields=["created_at"]),
            models.Index(name="call_outside_contract", fields=["created_at"], condition=Q(region_allowed=False)),
        ]

    def __str__(self) -> str:
        return f"{self.answer_id}:{self.seat}:{self.attempt}"

    @property
    def is_ok(self) -> bool:
        return self.outcome == self.OK
