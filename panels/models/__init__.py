from panels.models.audit_entry import AuditEntry
from panels.models.change_request import ChangeContributor, ChangeDecision, ChangeRequest, PanelApplication
from panels.models.contract import Contract, YesNoUnknown
from panels.models.data_class import DataClass, SeatRole
from panels.models.language_model import LanguageModel
from panels.models.model_price import ModelPrice
from panels.models.panel import Member, Panel, PanelVersion
from panels.models.provider import Provider
from panels.models.provider_health import ProviderHealth

__all__ = [
    "AuditEntry",
    "ChangeContributor",
    "ChangeDecision",
    "ChangeRequest",
    "Contract",
    "DataClass",
    "LanguageModel",
    "Member",
    "ModelPrice",
    "Panel",
    "PanelApplication",
    "PanelVersion",
    "Provider",
    "ProviderHealth",
    "SeatRole",
    "YesNoUnknown",
]
