from __future__ import annotations

from dataclasses import replace

import pytest
from asgiref.sync import async_to_sync

from panels.fusion.clients.anthropic import AnthropicClient
from panels.fusion.clients.openai import OpenAIClient
from panels.fusion.types import Message, ModelRequest, Reply, Sampling
from panels.gateway import MissingKey, client_class, open_clients, require_keys
from panels.models import Provider
from panels.simulator.catalogue import CATALOGUE
from tests.factories import make_model, make_provider
from tests.simulator_server import serve_simulator

REQUEST = ModelRequest(model="", messages=(Message(role="user", content="Which?"),), sampling=Sampling(max_tokens=5))


@pytest.mark.django_db
def test_a_model_is_asked_by_its_provider_under_the_providers_own_id():
    names = list(CATALOGUE)[:2]
    with serve_simulator(faults=False) as simulator:
        provider = make_provider(base_url=simulator.base_url)
        models = [make_model(provider=provider, name=name) for name in names]

        @async_to_sync
        async def ask_all() -> list[object]:
            async with open_clients(models, concurrency=2, environ={}) as clients:
                return [
                    await clients[str(model.pk)].complete(replace(REQUEST, model=str(model.pk))) for model in models
                ]

        replies = ask_all()
    assert [reply.provider_model for reply in replies if isinstance(reply, Reply)] == names


@pytest.mark.django_db
def test_a_key_that_is_not_set_is_named_before_anything_is_asked():
    provider = make_provider(name="Somewhere", api_key_env="SOMEWHERE_KEY")
    model = make_model(provider=provider)

    @async_to_sync
    async def open_and_close() -> None:
        async with open_clients([model], concurrency=1, environ={}):
            pass

    with pytest.raises(MissingKey, match="Somewhere needs a key: set the environment variable SOMEWHERE_KEY"):
        open_and_close()
    require_keys([model], environ={"SOMEWHERE_KEY": "k"})


@pytest.mark.django_db
def test_recorded_models_have_no_client():
    model = make_model(provider=make_provider(kind=Provider.Kind.RECORDED))

    @async_to_sync
    async def open_and_list() -> list[str]:
        async with open_clients([model], concurrency=1, environ={}) as clients:
            return list(clients)

    assert open_and_list() == []


@pytest.mark.parametrize(
    ("kind", "client"),
    [
        (Provider.Kind.OPENAI, OpenAIClient),
        (Provider.Kind.SIMULATED, OpenAIClient),
        (Provider.Kind.ANTHROPIC, AnthropicClient),
    ],
)
def test_a_provider_is_spoken_to_in_the_wire_format_of_its_kind(kind, client):
    assert client_class(kind) is client
