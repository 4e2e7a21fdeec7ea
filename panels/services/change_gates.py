from __future__ import annotations

from datetime import datetime

from panels.gate import contract_day, require_gate, version_seats
from panels.models import ChangeRequest, PanelVersion, Provider
from panels.policies import WrongState
from panels.selectors.change_sides import data_policy
from panels.selectors.panels import with_members


def require_open_gate(request: ChangeRequest, *, now: datetime) -> None:
    """Raises GateClosed where a member of the candidate may not get this data in production today, else WrongState."""
    models, roles = version_seats(_seated(request.candidate_id))
    if any(model.provider.kind == Provider.Kind.RECORDED for model in models):
        raise WrongState("Recorded outputs can only be replayed: no provider answers for this version.")
    require_gate(policy=data_policy(request.policy), models=models, roles=roles, today=contract_day(now))


def _seated(version_id: int) -> PanelVersion:
    return with_members(PanelVersion.objects.filter(pk=version_id)).get()
