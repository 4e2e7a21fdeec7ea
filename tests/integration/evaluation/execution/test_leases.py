from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from evaluation.execution import leases
from evaluation.execution.batches import Claim, cap_run, claim_batch, finish_run, next_batch
from evaluation.execution.leases import (
    LEASE_TTL,
    LeaseLost,
    abandon_lease,
    claim_lease,
    end_lease,
    hold_lease,
    renew_lease,
    runs_to_wake,
    sweep_leases,
)
from evaluation.models import Batch, Lease, Run
from tests.factories import NOW, make_experiment, make_model, make_panel_version, make_run

pytestmark = pytest.mark.django_db

LATER = NOW + LEASE_TTL


def new_run(**fields: object) -> Run:
    return make_run(make_experiment([make_panel_version([[make_model()]])]), batch=1, **fields)


def lease_of(run: Run, *, slots: int = 4) -> Lease:
    lease = claim_lease(run_id=run.pk, wanted_slots=slots, worker="w", now=NOW)
    assert lease is not None
    return lease


def pending_batch(run_id: int) -> Batch:
    batch = next_batch(run_id=run_id)
    assert batch is not None
    return batch


def claim(lease: Lease, *, reserve: int = 0) -> Claim:
    return claim_batch(lease, batch_id=pending_batch(lease.run_id).pk, reserve_nanousd=reserve, now=NOW)


def test_leases_never_hold_more_slots_than_the_run_has():
    run = new_run(concurrency=5)
    assert [lease_of(run, slots=3).slots, lease_of(run, slots=3).slots] == [3, 2]
    assert claim_lease(run_id=run.pk, wanted_slots=3, worker="w", now=NOW) is None
    run.refresh_from_db()
    assert (run.slots_leased, run.state, run.started_at, run.resumed_at) == (5, Run.State.RUNNING, NOW, NOW)


def test_a_worker_that_comes_second_in_a_race_for_slots_tries_with_what_is_left(monkeypatch):
    run = new_run(concurrency=4)
    original, racing = leases._claim_slots, [3]

    def lose_the_first_race(*args: Any, **kwargs: Any) -> Lease | None:
        while racing:
            lease_of(run, slots=racing.pop())
        return original(*args, **kwargs)

    monkeypatch.setattr(leases, "_claim_slots", lose_the_first_race)
    lease = lease_of(run, slots=4)
    assert lease.slots == 1
    assert Lease.objects.count() == 2


@pytest.mark.parametrize("state", ["paused", "capped", "cancelled", "finished"])
def test_a_run_that_is_not_active_gives_no_lease(state):
    run = new_run(state=state)
    assert claim_lease(run_id=run.pk, wanted_slots=1, worker="w", now=NOW) is None
    assert not Lease.objects.exists()


def test_a_renewed_lease_lives_on_and_tells_the_state_of_the_run():
    run = new_run()
    lease = lease_of(run)
    Run.objects.filter(pk=run.pk).update(state=Run.State.PAUSED)
    assert renew_lease(lease, now=LATER - timedelta(seconds=1)) == Run.State.PAUSED
    assert sweep_leases(now=LATER) == []


@pytest.mark.parametrize("use", [renew_lease, hold_lease, end_lease])
def test_an_expired_lease_is_lost_even_before_it_is_swept(use):
    lease = lease_of(new_run())
    with pytest.raises(LeaseLost):
        use(lease, now=LATER)


def test_a_batch_is_claimed_once():
    run = new_run()
    one, other = lease_of(run, slots=1), lease_of(run, slots=1)
    batch = pending_batch(run.pk)
    assert claim_batch(one, batch_id=batch.pk, reserve_nanousd=5, now=NOW) is Claim.TAKEN
    assert claim_batch(other, batch_id=batch.pk, reserve_nanousd=5, now=NOW) is Claim.GONE
    run.refresh_from_db()
    assert run.reserved_nanousd == 5
    assert pending_batch(run.pk).number == 2


def test_a_batch_whose_worst_case_does_not_fit_is_left_pending():
    run = new_run(cap_nanousd=10)
    lease = lease_of(run)
    assert claim(lease, reserve=6) is Claim.TAKEN
    assert claim(lease, reserve=5) is Claim.NO_ROOM
    assert Batch.objects.filter(run=run, state=Batch.State.PENDING).count() == 3
    assert claim(lease, reserve=4) is Claim.TAKEN


def test_no_batch_of_a_stopped_run_is_claimed():
    run = new_run()
    lease = lease_of(run)
    Run.objects.filter(pk=run.pk).update(state=Run.State.PAUSED)
    assert claim(lease) is Claim.STOPPED
    assert not Batch.objects.exclude(state=Batch.State.PENDING).exists()


def test_an_orderly_end_frees_the_reservation_and_the_batches():
    run = new_run(cap_nanousd=10)
    lease = lease_of(run)
    claim(lease, reserve=6)
    end_lease(lease, now=NOW)
    run.refresh_from_db()
    assert (run.slots_leased, run.reserved_nanousd, run.spent_nanousd, run.lost_nanousd) == (0, 0, 0, 0)
    assert pending_batch(run.pk).number == 1


@pytest.mark.parametrize("end", [lambda lease: sweep_leases(now=LATER), lambda lease: abandon_lease(lease, now=NOW)])
def test_a_dead_workers_reservation_counts_as_spent_and_lost(end):
    run = new_run(cap_nanousd=10, spent_nanousd=2)
    lease = lease_of(run)
    claim(lease, reserve=6)
    end(lease)
    end(lease)
    run.refresh_from_db()
    assert (run.slots_leased, run.reserved_nanousd, run.spent_nanousd, run.lost_nanousd) == (0, 0, 8, 6)
    assert pending_batch(run.pk).number == 1


def test_a_sweep_leaves_live_leases_alone():
    run = new_run()
    dead = lease_of(run, slots=1)
    live = lease_of(run, slots=1)
    renew_lease(live, now=NOW + timedelta(seconds=10))
    assert sweep_leases(now=LATER) == [run.pk]
    assert set(Lease.objects.filter(ended_at=None)) == {live}
    assert Lease.objects.get(pk=dead.pk).ended_at == LATER


def test_runs_without_a_worker_or_with_room_for_one_more_are_woken():
    idle, crowded, roomy = new_run(), new_run(concurrency=4), new_run(concurrency=8)
    new_run(state=Run.State.PAUSED)
    lease_of(crowded)
    lease_of(roomy)
    assert runs_to_wake(now=NOW) == [idle.pk, roomy.pk]
    Batch.objects.filter(run=roomy).update(state=Batch.State.DONE)
    assert runs_to_wake(now=NOW) == [idle.pk]


def test_a_run_is_finished_once_and_only_when_every_batch_is_done():
    run = new_run()
    lease = lease_of(run)
    end_lease(lease, now=NOW)
    assert not finish_run(run_id=run.pk, now=NOW)
    Batch.objects.filter(run=run).update(state=Batch.State.DONE)
    done = NOW + timedelta(seconds=90)
    assert [finish_run(run_id=run.pk, now=done), finish_run(run_id=run.pk, now=done)] == [True, False]
    run.refresh_from_db()
    assert (run.finished_at, run.active_s, run.resumed_at) == (done, 90.0, None)


def test_a_run_is_capped_only_once_nothing_more_can_be_freed():
    run = new_run(cap_nanousd=10)
    lease = lease_of(run)
    claim(lease, reserve=6)
    assert not cap_run(run_id=run.pk, needed_nanousd=20, now=NOW)
    end_lease(lease, now=NOW)
    assert not cap_run(run_id=run.pk, needed_nanousd=10, now=NOW)
    assert cap_run(run_id=run.pk, needed_nanousd=11, now=NOW)
