"""Real providers, offered where their key is at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from panels.fusion.clients.listing import ListingFailed
from panels.models import Provider
from panels.services.listings import take_over_listing
from panels.services.providers import InvalidProvider, create_provider


@dataclass(frozen=True, slots=True, kw_only=True)
class RealProvider:
    slug: str
    name: str
    kind: str
    base_url: str
    api_key_env: str


def offer_real_providers(*, environ: Mapping[str, str], clock: Callable[[], datetime]) -> Iterator[str]:
    """Adds each provider whose key is set, with the models that it lists; yields a line of what came of it."""
    for real in known_providers(environ):
        try:
            provider = Provider.objects.filter(slug=real.slug).first() or _create(real, clock)
        except InvalidProvider as error:
            yield f"{real.name} is not offered: {error}"
        else:
            yield _listing(provider, environ, clock)


def _create(real: RealProvider, clock: Callable[[], datetime]) -> Provider:
    return create_provider(
        name=real.name,
        slug=real.slug,
        kind=real.kind,
        base_url=real.base_url,
        api_key_env=real.api_key_env,
        by=None,
        now=clock(),
    )


def known_providers(environ: Mapping[str, str]) -> Iterator[RealProvider]:
    """Those whose key is in the environment. ``OPENAI_BASE_URL`` points the second at any compatible server."""
    if environ.get("OPENROUTER_API_KEY"):
        yield RealProvider(
            slug="openrouter",
            name="OpenRouter",
            kind=Provider.Kind.OPENAI,
            base_url="https://openrouter.ai/api/v1",
            api_key_env="OPENROUTER_API_KEY",
        )
    if environ.get("OPENAI_API_KEY"):
        yield RealProvider(
            slug="openai",
            name="OpenAI-compatible server" if environ.get("OPENAI_BASE_URL") else "OpenAI",
            kind=Provider.Kind.OPENAI,
            base_url=environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1",
            api_key_env="OPENAI_API_KEY",
        )
    if environ.get("ANTHROPIC_API_KEY"):
        yield RealProvider(
            slug="anthropic",
            name="Anthropic",
            kind=Provider.Kind.ANTHROPIC,
            base_url="https://api.anthropic.com",
            api_key_env="ANTHROPIC_API_KEY",
        )


def _listing(provider: Provider, environ: Mapping[str, str], clock: Callable[[], datetime]) -> str:
    try:
        added = take_over_listing(provider=provider, by=None, now=clock(), environ=environ)
    except ListingFailed as error:
        return f"{provider.name} is offered without models: {error}. Add them on the Models page."
    return f"{provider.name} is offered; {added} of its models are new in the inventory."
