from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from fusion_site.lib.env import Env
from panels.gateway import peer_rules
from panels.models import Provider
from panels.policies import KIND_STAYS, require_provider_editable
from panels.services.addresses import address_problem
from panels.services.audit import differences, record_audit

Problems = tuple[tuple[str, str], ...]

HOSTING_KINDS = (Provider.Kind.OPENAI, Provider.Kind.ANTHROPIC, Provider.Kind.SIMULATED)
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*_API_(KEY|TOKEN)\Z")
_KEY_STARTS = ("sk-", "sk_", "gsk_", "hf_", "ghp_", "xai-", "pplx-", "aiza", "akia", "bearer ")
_KEY_LENGTH = 20


class InvalidProvider(Exception):
    """A provider that cannot be saved. ``problems`` are (field, message) pairs."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{field}: {message}" for field, message in problems))


@transaction.atomic
def create_provider(
    *, name: str, kind: str, base_url: str, api_key_env: str, by: User | None, now: datetime, slug: str = ""
) -> Provider:
    """A provider that answers requests; recorded ones are made by imports. Raises InvalidProvider."""
    slug = slug or slugify(name)[:80]
    problems = (*_name_problems(name, slug), *_provider_problems(kind, base_url, api_key_env))
    if problems:
        raise InvalidProvider(problems)
    try:
        with transaction.atomic():
            provider = Provider.objects.create(
                slug=slug, name=name.strip(), kind=kind, base_url=base_url, api_key_env=api_key_env, created_at=now
            )
    except IntegrityError as error:  # somebody took the name in between
        raise InvalidProvider((("name", _NAME_TAKEN),)) from error
    record_audit(action="provider.created", actor=by, subject=f"provider:{slug}", detail=_content(provider), now=now)
    return provider


@transaction.atomic
def change_provider(
    *, provider: Provider, name: str, kind: str, base_url: str, api_key_env: str, by: User | None, now: datetime
) -> Provider:
    """Its address in the pages (the slug) stays. Raises InvalidProvider, and WrongState for a recorded provider."""
    require_provider_editable(provider)
    problems = list(_provider_problems(kind, base_url, api_key_env))
    if not name.strip():
        problems.append(("name", "Give the provider a name."))
    if kind != provider.kind and provider.language_models.exists():
        problems.append(("kind", KIND_STAYS))
    if problems:
        raise InvalidProvider(tuple(problems))
    before = _content(provider)
    provider.name, provider.kind, provider.base_url, provider.api_key_env = name.strip(), kind, base_url, api_key_env
    provider.save(update_fields=["name", "kind", "base_url", "api_key_env"])
    changed = differences(before, _content(provider))
    if changed:
        subject = f"provider:{provider.slug}"
        record_audit(action="provider.changed", actor=by, subject=subject, detail=changed, now=now)
    return provider


def _content(provider: Provider) -> dict[str, object]:
    """The variable that holds the key is named; the key is nowhere."""
    names = ("name", "kind", "base_url", "api_key_env")
    return {name: str(getattr(provider, name)) for name in names}


def provider_problems(*, kind: str, base_url: str, api_key_env: str) -> Problems:
    """What is wrong with how a provider is reached, (field, message) pairs."""
    return tuple(_provider_problems(kind, base_url, api_key_env))


def variable_problem(name: str) -> str | None:
    """Why this cannot name the variable that holds a provider's key, None if it can.

    The name must end in _API_KEY or _API_TOKEN and be none of the service's own: whatever the variable holds is sent
    to the provider's address, so it must not be able to name a password or the service's secret.
    """
    if looks_like_key(name):
        return "This looks like a key. Enter the name of the environment variable that holds it; change this key."
    if name and (not _VARIABLE.match(name) or name.lower() in Env.model_fields):
        return "Name a variable in capitals that ends in _API_KEY or _API_TOKEN, for example OPENROUTER_API_KEY."
    return None


def looks_like_key(text: str) -> bool:
    """True for what is rather a secret than the name of a variable."""
    dense = len(text) >= _KEY_LENGTH and "_" not in text
    return text.strip().lower().startswith(_KEY_STARTS) or dense


_NAME_TAKEN = "Another provider already has this name. Choose another."


def _name_problems(name: str, slug: str) -> Iterator[tuple[str, str]]:
    if not name.strip():
        yield "name", "Give the provider a name."
    elif not slug:
        yield "name", "The name needs at least one letter or digit from a to z, 0 to 9."
    elif Provider.objects.filter(slug=slug).exists():
        yield "name", _NAME_TAKEN


def _provider_problems(kind: str, base_url: str, api_key_env: str) -> Iterator[tuple[str, str]]:
    if kind not in HOSTING_KINDS:
        yield "kind", f"Choose one of {', '.join(kind.label for kind in HOSTING_KINDS)}."
    if problem := address_problem(base_url, rules=peer_rules()):
        yield "base_url", problem
    if problem := variable_problem(api_key_env):
        yield "api_key_env", problem
