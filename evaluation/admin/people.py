"""Who comes in and what they may do. Nobody is deleted: the audit chain names them, so they are made inactive."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from evaluation.permissions import may_change_group, may_change_person
from evaluation.services.people import (
    access_of,
    permissions_of,
    record_access_change,
    record_group_change,
    record_new_group,
    record_new_person,
    record_password_change,
)

# A person who may do everything needs no rules; who only manages people must not raise themselves.
_FOR_SUPERUSERS = ("is_superuser", "user_permissions")
_NOT_ONES_OWN = ("is_active", "is_staff", "groups")

admin.site.unregister(User)
admin.site.unregister(Group)
# A list shows what there is; whatever may be removed at all is removed from its own page.
admin.site.disable_action("delete_selected")


@admin.register(User)
class PersonAdmin(UserAdmin[User]):
    list_display = ["username", "is_active", "is_staff", "is_superuser", "last_login"]
    list_filter = ["groups", "is_active", "is_staff", "is_superuser"]
    search_fields = ["username"]
    ordering = ["username", "pk"]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        if request.user.is_superuser:
            return ("last_login", "date_joined")
        own = _NOT_ONES_OWN if obj is not None and obj.pk == request.user.pk else ()
        return ("last_login", "date_joined", *_FOR_SUPERUSERS, *own)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return may_change_person(request.user, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        form.access_before = access_of(User.objects.get(pk=obj.pk)) if change else None
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        said = {"person": form.instance, "by": request.user, "now": timezone.now()}
        if change:
            record_access_change(before=form.access_before, **said)
        else:
            record_new_person(**said)

    @transaction.atomic
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        return super().user_change_password(request, id, form_url)

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        match = request.resolver_match
        if match is not None and match.url_name == "auth_user_password_change":
            record_password_change(person=obj, by=request.user, now=timezone.now())  # type: ignore[arg-type] # logged in
        return super().log_change(request, obj, message)


@admin.register(Group)
class RoleAdmin(GroupAdmin):
    list_display = ["name"]
    ordering = ["name", "pk"]

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return may_change_group(request.user, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Group, form: Any, change: bool) -> None:
        form.access_before = permissions_of(Group.objects.get(pk=obj.pk)) if change else None
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        said: dict[str, Any] = {"group": form.instance, "by": request.user, "now": timezone.now()}
        if change:
            record_group_change(before=form.access_before, **said)
        else:
            record_new_group(**said)
