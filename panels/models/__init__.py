from panels.models.audit_entry import AuditEntry
from panels.models.language_model import LanguageModel
from panels.models.panel import Member, Panel, PanelVersion
from panels.models.provider import Provider
from panels.models.provider_health import ProviderHealth

__all__ = ["AuditEntry", "LanguageModel", "Member", "Panel", "PanelVersion", "Provider", "ProviderHealth"]
