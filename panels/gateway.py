"""The one door to the providers: opens a client for every model a run needs."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.conf import settings

from panels.fusion.clients.peers import PeerRules
from panels.fusion.registry import ModelKey
from panels.fusion.types import Failure, ModelClient, ModelRequest, Reply
from panels.models import LanguageModel, Provider
from panels.shared_state import provider_state
from panels.specs import inventory_key

if TYPE_CHECKING:
    from panels.fusion.clients.exchange import HostedClient

# A comparison that goes on without a member for the length of a restart has compared something else.
RUN_PATIENCE_S = 15.0


class MissingKey(Exception):
    """A provider's key is read from an environment variable, and that is not set."""

    def __init__(self, *, provider: str, variable: str) -> None:
        self.provider = provider
        self.variable = variable
        super().__init__(f"{provider} needs a key: set the environment variable {variable}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _NamedModel:
    """A model of a provider: the engine names it by inventory key, the provider by its own id."""

    client: ModelClient
    name: str

    async def complete(self, request: ModelRequest) -> Reply | Failure:
        return await self.client.complete(replace(request, model=self.name))


def require_keys(models: Iterable[LanguageModel], *, environ: Mapping[str, str]) -> None:
    """Raises MissingKey for the first provider whose key is not in ``environ``. Needs ``model.provider`` loaded."""
    for model in models:
        api_key(model.provider, environ=environ)


def api_key(provider: Provider, *, environ: Mapping[str, str]) -> str | None:
    """The provider's key, None if it asks for none. Raises MissingKey."""
    if not provider.api_key_env:
        return None
    key = environ.get(provider.api_key_env, "")
    if not key.strip():
        raise MissingKey(provider=provider.name, variable=provider.api_key_env)
    return key


def client_class(kind: str) -> type[HostedClient]:
    """How a hosting provider of this kind is spoken to. What only recorded data answers for speaks nothing."""
    # Loading the HTTP library takes a tenth of a second, which a replay need not pay.
    from panels.fusion.clients.anthropic import AnthropicClient
    from panels.fusion.clients.openai import OpenAIClient

    return AnthropicClient if kind == Provider.Kind.ANTHROPIC else OpenAIClient


def peer_rules() -> PeerRules:
    """Where providers may stand, as whoever runs the service set it."""
    return PeerRules(allows_private=settings.PRIVATE_PROVIDERS)


def clients_for(
    models: Iterable[LanguageModel], concurrency: int
) -> AbstractAsyncContextManager[dict[str, ModelClient]]:
    """``open_clients`` for a run, with the keys that this process's environment holds."""
    return open_clients(models, concurrency=concurrency, environ=os.environ, patience_s=RUN_PATIENCE_S)


@asynccontextmanager
async def open_clients(
    models: Iterable[LanguageModel], *, concurrency: int, environ: Mapping[str, str], patience_s: float = 0.0
) -> AsyncIterator[dict[str, ModelClient]]:
    """Clients by inventory key, one connection pool of ``concurrency`` places per provider.

    Each tries again what may pass, behind the breaker and the limit that all of this process shares; ``patience_s`` is
    how long of an outage a call may sit out. Needs ``model.provider`` loaded; models of recorded providers are left
    out, nobody answers for them. Raises MissingKey.
    """
    hosted = [model for model in models if model.provider.kind != Provider.Kind.RECORDED]
    providers = {model.provider_id: model.provider for model in hosted}
    keys = {pk: api_key(provider, environ=environ) for pk, provider in providers.items()}
    async with AsyncExitStack() as stack:
        registry = stack.enter_context(provider_state())
        for provider in providers.values():
            stack.enter_context(registry.limit(provider.slug).opened(concurrency))
        pools = {
            pk: await stack.enter_async_context(
                client_class(provider.kind)(
                    base_url=provider.base_url, api_key=keys[pk], concurrency=concurrency, peers=peer_rules()
                )
            )
            for pk, provider in providers.items()
        }
        yield {
            inventory_key(model.pk): registry.wrap(
                _NamedModel(client=pools[model.provider_id], name=model.name),
                ModelKey(model.provider.slug, model.name),
                patience_s=patience_s,
            )
            for model in hosted
        }
