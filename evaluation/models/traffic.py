from __future__ import annotations

import json

from django.conf import settings
from django.db import models
from django.db.models import Q

from evaluation.models.answer import Answer
from evaluation.models.workflow import Workflow
from panels.fusion.types import AnswerKind, Message, Question
from panels.models import PanelVersion


class LiveRequest(models.Model):
    """One question that was put to a panel version outside of a run, and what its answer was allowed.

    ``workflow`` is whose data it was; data of none counts as internal. ``messages`` is the JSON text of the chat
    messages as the members saw them: with placeholders where it is ``masked``. ``vault`` is the encrypted map of those
    placeholders; it opens until ``vault_until``. ``masks`` counts them by kind, ``integrity`` counts by model what
    became of them. The ``quoted_`` amounts, nano-dollars, were named before anything was sent; null where a price is
    unknown.
    """

    answer = models.OneToOneField(Answer, on_delete=models.CASCADE, related_name="live_request")
    panel_version = models.ForeignKey(PanelVersion, on_delete=models.PROTECT, related_name="live_requests")
    answer_kind = models.CharField(max_length=8)
    choices = models.JSONField(default=list, blank=True)
    schema = models.TextField(blank=True)
    messages = models.TextField()
    evidence = models.TextField(blank=True)
    mode = models.CharField(max_length=10, blank=True)
    ceiling_nanousd = models.BigIntegerField(null=True, blank=True)
    deadline_s = models.FloatField(null=True, blank=True)
    quoted_least_nanousd = models.BigIntegerField(null=True, blank=True)
    quoted_expected_nanousd = models.BigIntegerField(null=True, blank=True)
    quoted_most_nanousd = models.BigIntegerField(null=True, blank=True)
    masked = models.BooleanField(default=False)
    masks = models.JSONField(default=dict, blank=True)
    integrity = models.JSONField(default=dict, blank=True)
    vault = models.BinaryField(null=True, blank=True)
    vault_until = models.DateTimeField(null=True, blank=True)
    workflow = models.ForeignKey(
        Workflow, null=True, blank=True, on_delete=models.PROTECT, related_name="live_requests"
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="live_requests"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="live_request_kind_known", condition=Q(answer_kind__in=[kind.value for kind in AnswerKind])
            ),
            models.CheckConstraint(name="live_request_asks_something", condition=~Q(messages="")),
            models.CheckConstraint(
                name="live_request_vault_has_an_end",
                condition=Q(vault=None, vault_until=None) | Q(vault__isnull=False, vault_until__isnull=False),
            ),
            models.CheckConstraint(name="live_request_vault_only_if_masked", condition=Q(vault=None) | Q(masked=True)),
            models.CheckConstraint(
                name="live_request_ceiling_positive", condition=Q(ceiling_nanousd=None) | Q(ceiling_nanousd__gt=0)
            ),
        ]
        indexes = [models.Index(name="live_request_by_time", fields=["panel_version", "created_at"])]

    def __str__(self) -> str:
        return f"{self.panel_version_id}: {self.answer_id}"

    @property
    def question(self) -> Question:
        """What was asked, as the members saw it."""
        return Question(
            item_id="",
            messages=tuple(Message(**entry) for entry in json.loads(self.messages)),
            kind=AnswerKind(self.answer_kind),
            choices=tuple(self.choices),
            evidence=self.evidence,
            schema=self.schema,
        )
