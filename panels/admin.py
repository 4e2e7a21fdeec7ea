"""Administrators change the inventory here under the rules of its own pages; approvers decide; the rest is read."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from panels.forms.change_requests import DecisionForm
from panels.forms.models import model_initial
from panels.forms.problems import show_problems
from panels.models import (
    AuditEntry,
    ChangeRequest,
    Contract,
    LanguageModel,
    Member,
    ModelPrice,
    Panel,
    PanelApplication,
    PanelVersion,
    Provider,
    ProviderHealth,
)
from panels.permissions import require_approver
from panels.policies import WrongState, is_editable
from panels.selectors.change_requests import read_change
from panels.services.change_decisions import decide_change_request
from panels.services.models import InvalidModel, ModelFacts, change_model, create_model, validate_facts
from panels.services.providers import change_provider, create_provider, provider_problems


class ProviderAdminForm(forms.ModelForm[Provider]):
    base_url = forms.CharField(max_length=300)

    class Meta:
        model = Provider
        fields = ["name", "kind", "base_url", "api_key_env"]

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if not self.errors:
            show_problems(self, provider_problems(**{name: data[name] for name in ("kind", "base_url", "api_key_env")}))
        return data


class ModelAdminForm(forms.ModelForm[LanguageModel]):
    """Prices are dollars per million tokens. Where a panel seats the model, provider and id are not in the form."""

    price_in = forms.DecimalField(required=False, decimal_places=9)
    price_out = forms.DecimalField(required=False, decimal_places=9)

    class Meta:
        model = LanguageModel
        fields = ["provider", "name", "price_source", "context_tokens", "max_output_tokens"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            prices = model_initial(self.instance)
            self.initial.update(price_in=prices["price_in"], price_out=prices["price_out"])

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            try:
                validate_facts(self.facts(), besides=self.instance)
            except InvalidModel as error:
                show_problems(self, error.problems)
        return self.cleaned_data

    def facts(self) -> ModelFacts:
        data = self.cleaned_data
        kept = {} if "provider" in data else {"provider": self.instance.provider, "name": self.instance.name}
        return ModelFacts(**{**kept, **data})


@admin.register(Provider)
class ProviderAdmin(admin.ModelAdmin[Provider]):
    form = ProviderAdminForm
    list_display = ["name", "kind", "base_url", "api_key_env"]
    list_filter = ["kind"]
    ordering = ["name", "pk"]

    def has_change_permission(self, request: HttpRequest, obj: Provider | None = None) -> bool:
        return (obj is None or obj.kind != Provider.Kind.RECORDED) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Provider, form: forms.Form, change: bool) -> None:
        said = {**form.cleaned_data, "by": request.user, "now": timezone.now()}
        if change:
            change_provider(provider=Provider.objects.get(pk=obj.pk), **said)
        else:
            obj.pk = create_provider(**said).pk


@admin.register(LanguageModel)
class LanguageModelAdmin(admin.ModelAdmin[LanguageModel]):
    form = ModelAdminForm
    list_display = ["name", "provider", "status", "price_source", "deprecated_on"]
    list_filter = ["status", "provider__kind"]
    list_select_related = ["provider"]
    search_fields = ["name", "provider__name"]
    ordering = ["name", "pk"]
    fields = ["provider", "name", "price_in", "price_out", "price_source", "context_tokens", "max_output_tokens"]

    def get_readonly_fields(self, request: HttpRequest, obj: LanguageModel | None = None) -> list[str]:
        return ["provider", "name"] if obj is not None and obj.seats.exists() else []

    def has_change_permission(self, request: HttpRequest, obj: LanguageModel | None = None) -> bool:
        return (obj is None or is_editable(obj)) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: LanguageModel, form: Any, change: bool) -> None:
        said = {"facts": form.facts(), "by": request.user, "now": timezone.now()}
        if change:
            change_model(model=LanguageModel.objects.select_related("provider").get(pk=obj.pk), **said)
        else:
            obj.pk = create_model(**said).pk


class ReadOnly:
    """What is written once, or by the service alone."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(ChangeRequest)
class ChangeRequestAdmin(ReadOnly, admin.ModelAdmin[ChangeRequest]):
    """The approvers' home: one request at a time, with its diff and evidence; nothing is decided in bulk."""

    change_form_template = "admin/panels/change_request.html"
    actions = None
    list_display = ["__str__", "panel", "candidate_number", "state", "tier", "created_by", "submitted_at", "expires_at"]
    list_filter = ["state", "tier", "is_rollback", "panel"]
    list_select_related = ["panel", "candidate", "created_by"]
    search_fields = ["panel__name", "summary", "created_by__username"]
    ordering = ["-created_at", "-pk"]
    fields = [
        "panel", "candidate", "base", "summary", "state", "tier", "policy", "envelope", "makes_baseline", "revision",
        "signed_hash", "evidence_hash", "created_by", "created_at", "submitted_at", "expires_at", "scheduled_for",
        "refusal",
    ]  # fmt: skip

    @admin.display(description="version", ordering="candidate__number")
    def candidate_number(self, request: ChangeRequest) -> str:
        return f"v{request.candidate.number}"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        change = self.get_object(request, object_id)
        if change is None or not self.has_view_permission(request, change):
            return super().change_view(request, object_id, form_url, extra_context)
        form = DecisionForm(initial={"signed_hash": change.signed_hash})
        if request.method == "POST":
            form = DecisionForm(request.POST)
            if self._decide(request, change, form):
                return HttpResponseRedirect(request.path)
            request.method = "GET"  # the page is shown again with what is wrong
        page = read_change(change, person=request.user, now=timezone.now())
        return super().change_view(request, object_id, form_url, {"page": page, "decision_form": form})

    def _decide(self, request: HttpRequest, change: ChangeRequest, form: DecisionForm) -> bool:
        person = require_approver(request.user)
        if not form.is_valid():
            return False
        try:
            decide_change_request(request=change, by=person, now=timezone.now(), **form.cleaned_data)
        except WrongState as refusal:
            form.add_error(None, str(refusal))
            return False
        self.message_user(request, "Your decision is kept. It shows to others once all have decided.")
        return True


@admin.register(PanelApplication)
class PanelApplicationAdmin(ReadOnly, admin.ModelAdmin[PanelApplication]):
    """What was live, and when; the newest first."""

    actions = None
    list_display = ["panel", "number", "version_number", "applied_at", "applied_by"]
    list_filter = ["panel"]
    list_select_related = ["panel", "version", "applied_by"]
    ordering = ["-applied_at", "-pk"]

    @admin.display(description="version", ordering="version__number")
    def version_number(self, application: PanelApplication) -> str:
        return f"v{application.version.number}"


class MemberInline(ReadOnly, admin.TabularInline[Member, PanelVersion]):
    model = Member

    def get_queryset(self, request: HttpRequest) -> QuerySet[Member]:
        return super().get_queryset(request).select_related("model").order_by("seat")


@admin.register(Contract)
class ContractAdmin(ReadOnly, admin.ModelAdmin[Contract]):
    list_display = ["provider", "valid_from", "valid_until", "has_dpa", "has_baa", "trains_on_data", "owner"]
    list_filter = ["has_dpa", "has_baa", "trains_on_data"]
    list_select_related = ["provider"]
    search_fields = ["provider__name", "owner"]
    ordering = ["-valid_from", "-pk"]


@admin.register(ModelPrice)
class ModelPriceAdmin(ReadOnly, admin.ModelAdmin[ModelPrice]):
    list_display = ["model", "in_nanousd_per_mtok", "out_nanousd_per_mtok", "source", "valid_from"]
    list_select_related = ["model"]
    search_fields = ["model__name"]
    ordering = ["-valid_from", "-pk"]


@admin.register(Panel)
class PanelAdmin(ReadOnly, admin.ModelAdmin[Panel]):
    list_display = ["name", "slug", "created_at"]
    search_fields = ["name", "slug"]
    ordering = ["name", "pk"]


@admin.register(PanelVersion)
class PanelVersionAdmin(ReadOnly, admin.ModelAdmin[PanelVersion]):
    list_display = ["panel", "number", "strategy", "stop_at", "created_at"]
    list_filter = ["strategy"]
    search_fields = ["panel__name", "content_hash"]
    list_select_related = ["panel"]
    ordering = ["-created_at", "-pk"]
    inlines = [MemberInline]


@admin.register(Member)
class MemberAdmin(ReadOnly, admin.ModelAdmin[Member]):
    list_display = ["version", "seat", "model", "stage", "weight", "skill"]
    list_select_related = ["version", "model"]
    search_fields = ["model__name"]
    ordering = ["-version_id", "seat"]


@admin.register(ProviderHealth)
class ProviderHealthAdmin(ReadOnly, admin.ModelAdmin[ProviderHealth]):
    list_display = ["provider", "worker", "limit", "ceiling", "waiting", "seen_at"]
    list_select_related = ["provider"]
    list_filter = ["provider"]
    ordering = ["-seen_at", "-pk"]


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly, admin.ModelAdmin[AuditEntry]):
    list_display = ["sequence", "at", "actor_name", "action", "subject"]
    list_filter = ["action", "subject_kind"]
    search_fields = ["actor_name", "subject_id", "subject_label"]
    show_full_result_count = False
    ordering = ["-sequence"]
