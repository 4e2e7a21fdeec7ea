from __future__ import annotations

import json

from django.db import models
from django.db.models import Q

from evaluation.models.dataset import DatasetVersion
from panels.fusion.types import Message
from panels.models import LanguageModel


class Example(models.Model):
    """One benchmark item. ``prompt`` is the JSON text of its chat messages, kept as text so that it can be searched.

    ``context`` is the evidence that claims are checked against, ``schema`` the text of the JSON schema of a ``json``
    answer. ``meta`` may hold ``fields``, named values of the prompt, of which the workflow marks some as sensitive.
    ``references`` are the accepted answers, or for the ``key_facts`` scorer the facts a summary has to state.
    """

    version = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="examples")
    position = models.PositiveIntegerField()
    item_id = models.CharField(max_length=200)
    title = models.CharField(max_length=160, help_text="The start of the last user message")
    prompt = models.TextField()
    reference = models.TextField(null=True, blank=True)  # noqa: DJ001 - null is "has none", "" is a reference
    references = models.JSONField(default=list, blank=True)
    choices = models.JSONField(default=list, blank=True)
    context = models.TextField(blank=True)
    group = models.CharField(max_length=200, blank=True)
    meta = models.JSONField(default=dict, blank=True)
    schema = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="example_position_unique", fields=["version", "position"]),
            models.UniqueConstraint(name="example_item_unique", fields=["version", "item_id"]),
            models.CheckConstraint(name="example_item_id_not_empty", condition=~Q(item_id="")),
            models.CheckConstraint(name="example_prompt_not_empty", condition=~Q(prompt="")),
        ]

    def __str__(self) -> str:
        return self.item_id

    @property
    def messages(self) -> tuple[Message, ...]:
        return tuple(Message(role=entry["role"], content=entry["content"]) for entry in json.loads(self.prompt))


class RecordedOutput(models.Model):
    """A model's imported output for an example. ``predicted`` counts where ``has_predicted``: null is unreadable."""

    example = models.ForeignKey(Example, on_delete=models.CASCADE, related_name="recorded_outputs")
    model = models.ForeignKey(LanguageModel, on_delete=models.PROTECT, related_name="recorded_outputs")
    text = models.TextField(blank=True)
    has_predicted = models.BooleanField(default=False)
    predicted = models.TextField(null=True, blank=True)  # noqa: DJ001 - null is "could not be read", "" is an answer
    correct = models.BooleanField(null=True, blank=True)
    prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(null=True, blank=True)
    latency_s = models.FloatField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="recorded_output_unique", fields=["example", "model"]),
            models.CheckConstraint(
                name="recorded_output_predicted_is_marked", condition=Q(has_predicted=True) | Q(predicted=None)
            ),
            models.CheckConstraint(
                name="recorded_output_latency_not_negative", condition=Q(latency_s=None) | Q(latency_s__gte=0)
            ),
        ]
        # A version's page counts these by model; without the indexes it would read every text.
        indexes = [
            models.Index(name="recorded_output_labels", fields=["model", "correct"]),
            models.Index(
                name="recorded_output_unreadable", fields=["model"], condition=Q(has_predicted=True, predicted=None)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.example_id}:{self.model_id}"
