from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from evaluation.models.experiment import Arm, Experiment


class RunQuerySet(models.QuerySet["Run"]):
    def active(self) -> RunQuerySet:
        return self.filter(state__in=[Run.State.QUEUED, Run.State.RUNNING])

    def unfinished(self) -> RunQuerySet:
        return self.filter(state__in=[Run.State.QUEUED, Run.State.RUNNING, Run.State.PAUSED, Run.State.CAPPED])


class Run(models.Model):
    """One execution of a whole experiment. The database is the truth; a broker message only wakes a worker.

    Limits hold across workers through the counters here: ``slots_leased`` never exceeds ``concurrency``, and
    ``spent_nanousd + reserved_nanousd`` never exceeds ``cap_nanousd``. ``lost_nanousd`` is the part of what was spent
    that is a dead worker's reservation: its calls may have been billed, their outcome is unknown.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        CAPPED = "capped", "Stopped at the cap"
        CANCELLED = "cancelled", "Cancelled"
        FINISHED = "finished", "Finished"

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="runs")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    concurrency = models.PositiveIntegerField(default=16)
    cap_nanousd = models.BigIntegerField(null=True, blank=True)
    reuse_replies = models.BooleanField(default=True)
    answers_wanted = models.PositiveIntegerField()
    slots_leased = models.PositiveIntegerField(default=0)
    reserved_nanousd = models.BigIntegerField(default=0)
    spent_nanousd = models.BigIntegerField(default=0)
    lost_nanousd = models.BigIntegerField(default=0)
    active_s = models.FloatField(default=0.0, help_text="Seconds it was running before resumed_at")
    resumed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="runs_created"
    )

    objects = RunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="run_number_unique", fields=["experiment", "number"]),
            models.CheckConstraint(
                name="run_state_known",
                condition=Q(state__in=["queued", "running", "paused", "capped", "cancelled", "finished"]),
            ),
            models.CheckConstraint(name="run_concurrency_positive", condition=Q(concurrency__gte=1)),
            models.CheckConstraint(
                name="run_slots_within_concurrency", condition=Q(slots_leased__lte=F("concurrency"))
            ),
            models.CheckConstraint(
                name="run_money_not_negative",
                condition=Q(reserved_nanousd__gte=0, spent_nanousd__gte=0, lost_nanousd__gte=0),
            ),
            models.CheckConstraint(
                name="run_money_within_cap",
                condition=Q(cap_nanousd=None) | Q(cap_nanousd__gte=F("spent_nanousd") + F("reserved_nanousd")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.experiment_id} run {self.number}"

    @property
    def is_ended(self) -> bool:
        return self.state in {self.State.CANCELLED, self.State.FINISHED}


class Lease(models.Model):
    """A worker's claim on a share of a run: ``slots`` of its concurrency, until ``expires_at`` unless renewed."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="leases")
    token = models.UUIDField(unique=True)
    worker = models.CharField(max_length=200)
    slots = models.PositiveIntegerField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(name="lease_slots_positive", condition=Q(slots__gte=1))]
        indexes = [models.Index(name="lease_live", fields=["expires_at"], condition=Q(ended_at=None))]

    def __str__(self) -> str:
        return str(self.token)


class Batch(models.Model):
    """Some consecutive examples of a run, all arms. ``retry`` batches take up answers that failed before.

    ``reserved_nanousd`` is what is still set aside for its unfinished examples.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        LEASED = "leased", "Leased"
        DONE = "done", "Done"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="batches")
    number = models.PositiveIntegerField()
    first_position = models.PositiveIntegerField()
    last_position = models.PositiveIntegerField()
    retry = models.BooleanField(default=False)
    state = models.CharField(max_length=8, choices=State, default=State.PENDING)
    lease = models.ForeignKey(Lease, null=True, blank=True, on_delete=models.SET_NULL, related_name="batches")
    reserved_nanousd = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="batch_number_unique", fields=["run", "number"]),
            models.CheckConstraint(name="batch_range_in_order", condition=Q(first_position__lte=F("last_position"))),
            models.CheckConstraint(name="batch_state_known", condition=Q(state__in=["pending", "leased", "done"])),
            models.CheckConstraint(
                name="batch_leased_has_lease",
                condition=Q(state="leased", lease__isnull=False) | (~Q(state="leased") & Q(lease=None)),
            ),
            models.CheckConstraint(name="batch_reserved_not_negative", condition=Q(reserved_nanousd__gte=0)),
        ]
        indexes = [models.Index(name="batch_by_state", fields=["run", "state", "number"])]

    def __str__(self) -> str:
        return f"{self.run_id}:{self.number}"


class ArmProgress(models.Model):
    """Running counts of one arm in one run, kept in the transaction that writes the answers.

    ``errors`` counts failed calls by kind, ``{"timeout": 3}``. ``calls`` are member replies that the answers needed;
    ``arbitrated`` answers were put to the arbiter, in ``arbiter_calls`` questions.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="progress")
    arm = models.ForeignKey(Arm, on_delete=models.CASCADE, related_name="progress")
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    abstained = models.PositiveIntegerField(default=0)
    scored = models.PositiveIntegerField(default=0)
    correct = models.PositiveIntegerField(default=0)
    calls = models.PositiveIntegerField(default=0)
    arbitrated = models.PositiveIntegerField(default=0)
    arbiter_calls = models.PositiveIntegerField(default=0)
    errors = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(name="arm_progress_unique", fields=["run", "arm"])]

    def __str__(self) -> str:
        return f"{self.run_id}:{self.arm_id}"
