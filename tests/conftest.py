from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """The folder of recorded answers; its absence is the one reason for a skip that is allowed everywhere."""
    folder = Path(os.environ.get("QUORUM_RECORDED_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no recorded answers at {folder}: set QUORUM_RECORDED_DATA to their folder")
    return folder


@pytest.fixture(autouse=True)
def _forgotten_providers() -> Iterator[None]:
    """What a process has learned of its providers would reach from one test into the next."""
    yield
    state = sys.modules.get("panels.shared_state")
    if state is not None:
        state.forget_provider_state()


@pytest.fixture
def eager_tasks() -> Iterator[None]:
    """Run a task where it is called, and let its exception through. Never the default: it hides what a broker does."""
    from fusion_site.celery import app

    before = app.conf.task_always_eager, app.conf.task_eager_propagates
    app.conf.update(task_always_eager=True, task_eager_propagates=True)
    yield
    app.conf.update(task_always_eager=before[0], task_eager_propagates=before[1])


@pytest.fixture(autouse=True, scope="session")
def _emptied_append_only_tables() -> Iterator[None]:
    """A test whose work is committed ends by emptying every table, those too that only ever grow."""
    from django.test import TransactionTestCase

    from tests.triggers import triggers_off

    with pytest.MonkeyPatch.context() as patch:
        empty = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined] # Django's own, without a stub

        def empty_all(case: TransactionTestCase) -> None:
            with triggers_off():
                empty(case)

        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_all)
        yield
