from __future__ import annotations

import pytest

from tests.constraints import Check, refuse
from tests.integration.evaluation.models import rollup_constraints as rows

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", sorted(rows.ROLLUP_CONSTRAINTS))
def test_the_database_refuses(name):
    refuse("evaluation", name, rows.ROLLUP_CONSTRAINTS[name])


@pytest.mark.parametrize("changes", [{"scored": 3}, {"arbitrated": 3}, {"overturned": 1}, {"degraded": 3}])
def test_a_part_is_no_more_than_its_whole(changes):
    refuse("evaluation", "answer_rollup_parts_within", Check(make=rows.make_answer_rollup, changes=changes))
