import pytest

from panels.models import Provider
from panels.policies import WrongState
from panels.services.providers import InvalidProvider, change_provider, create_provider
from tests.factories import NOW, make_model, make_provider

pytestmark = pytest.mark.django_db

GOOD = {"name": "OpenRouter", "kind": "openai", "base_url": "https://openrouter.ai/api/v1", "api_key_env": "X_API_KEY"}


def test_a_provider_is_stored_with_the_name_of_its_variable():
    provider = create_provider(**GOOD, by=None, now=NOW)
    assert (provider.slug, provider.api_key_env) == ("openrouter", "X_API_KEY")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("name", "!!"),
        ("kind", "recorded"),
        ("base_url", "https://169.254.169.254/"),
        ("api_key_env", "sk-or-v1-abc"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_saved(field, value):
    with pytest.raises(InvalidProvider) as caught:
        create_provider(**(GOOD | {field: value}), by=None, now=NOW)
    assert [name for name, _ in caught.value.problems] == [field]
    assert not Provider.objects.exists()


def test_two_providers_cannot_share_a_name():
    create_provider(**GOOD, by=None, now=NOW)
    with pytest.raises(InvalidProvider):
        create_provider(**GOOD, by=None, now=NOW)


def test_the_kind_stays_once_there_are_models():
    provider = make_provider(kind="simulated")
    make_model(provider=provider)
    wanted = {"name": "House", "base_url": "http://localhost:8765/v1", "api_key_env": ""}
    with pytest.raises(InvalidProvider):
        change_provider(provider=provider, kind="openai", **wanted, by=None, now=NOW)
    change_provider(provider=provider, kind="simulated", **wanted, by=None, now=NOW)
    assert Provider.objects.get().name == "House"


def test_a_recorded_provider_cannot_be_changed():
    with pytest.raises(WrongState):
        change_provider(provider=make_provider(kind="recorded"), **GOOD, by=None, now=NOW)
