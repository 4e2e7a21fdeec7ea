from datetime import timedelta

import pytest

from evaluation.execution.vaults import forget_expired_maps
from evaluation.models import Answer, LiveRequest
from evaluation.tasks import forget_expired_maps_task
from tests.factories import NOW, make_model, make_panel_version

pytestmark = pytest.mark.django_db


def make_masked(until):
    answer = Answer.objects.create(outcome="failed", consensus=0.0, stages_called=1, call_count=1, created_at=NOW)
    return LiveRequest.objects.create(
        answer=answer,
        panel_version=make_panel_version([[make_model()]]),
        answer_kind="text",
        messages='[{"role": "user", "content": "Who is [[NAME_1_d5]]?"}]',
        masked=True,
        vault=b"sealed",
        vault_until=until,
        created_at=NOW,
    )


def test_a_map_is_forgotten_when_its_time_is_over_and_not_before():
    expired, alive = make_masked(NOW), make_masked(NOW + timedelta(seconds=1))
    assert forget_expired_maps(now=NOW) == 1
    assert forget_expired_maps(now=NOW) == 0
    expired.refresh_from_db()
    alive.refresh_from_db()
    assert (expired.vault, expired.vault_until, expired.masked) == (None, None, True)
    assert bytes(alive.vault) == b"sealed"


def test_the_task_forgets_what_is_past_now():
    request = make_masked(NOW - timedelta(days=3650))
    forget_expired_maps_task()
    request.refresh_from_db()
    assert request.vault is None
