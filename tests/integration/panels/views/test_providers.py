from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.utils import timezone

from panels.models import Provider, ProviderHealth
from panels.selectors.models import offered_models
from tests.factories import make_model, make_provider

LIST, NEW = "/models/providers/", "/models/providers/new/"
GOOD = {
    "name": "OpenRouter",
    "kind": "openai",
    "base_url": "https://openrouter.ai/api/v1",
    "api_key_env": "OPENROUTER_API_KEY",
}


def test_no_provider_yet_says_what_to_do(manager):
    assert "No providers yet" in manager.get(LIST).content.decode()


def test_the_list_counts_available_models_and_hides_recorded_providers(viewer, django_assert_max_num_queries):
    for number in range(60):
        provider = make_provider(name=f"House {number:02}")
        make_model(provider=provider)
    make_provider(name="Replayed", kind="recorded")
    with django_assert_max_num_queries(12):
        page = viewer.get(LIST).context["providers"]
    assert (page.total, len(page.page.rows), page.page.rows[0].available) == (60, 50, 1)
    assert "Replayed" in viewer.get(LIST, {"kind": "all", "q": "repl"}).content.decode()
    assert "No provider matches" in viewer.get(LIST, {"q": "zzz"}).content.decode()


def test_the_export_names_variables_and_never_holds_a_key(viewer):
    make_provider(name="House", api_key_env="HOUSE_API_KEY")
    text = b"".join(viewer.get(LIST, {"export": "csv"}).streaming_content).decode()
    assert text.splitlines()[0] == "slug,name,kind,base_url,api_key_env,models"
    assert "HOUSE_API_KEY" in text


def test_a_provider_is_added_and_changed(manager):
    answer = manager.post(NEW, GOOD, follow=True)
    assert "Now add the models it hosts" in answer.content.decode()
    manager.post("/models/providers/openrouter/edit/", GOOD | {"name": "Router"}, follow=True)
    assert Provider.objects.get().name == "Router"


def test_a_provider_of_anthropic_messages_is_added_found_by_its_kind_and_offered_as_itself(manager):
    form = GOOD | {"name": "Anthropic", "kind": "anthropic", "base_url": "https://api.anthropic.com"}
    manager.post(NEW, form | {"api_key_env": "ANTHROPIC_API_KEY"}, follow=True)
    provider = Provider.objects.get()
    assert (provider.kind, provider.base_url) == (Provider.Kind.ANTHROPIC, "https://api.anthropic.com")
    make_provider(name="Replayed", kind="recorded")
    page = manager.get(LIST, {"kind": "anthropic"})
    assert [row.name for row in page.context["providers"].page.rows] == ["Anthropic"]
    assert "Anthropic messages" in page.content.decode()
    make_model(provider=provider, name="house-4")
    assert [(model.name, model.about) for model in offered_models()] == [("anthropic/house-4", "Anthropic")]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("kind", "recorded"),
        ("base_url", "http://169.254.169.254/latest"),
        ("base_url", "http://openrouter.ai/api/v1"),
        ("api_key_env", "DATABASE_URL"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_saved(manager, field, value):
    answer = manager.post(NEW, GOOD | {field: value})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert not Provider.objects.exists()


@pytest.mark.parametrize("key", ["sk-or-v1-0123456789", "sk-" + "x" * 100])
def test_a_key_that_was_entered_does_not_come_back_in_the_page(manager, key):
    answer = manager.post(NEW, GOOD | {"api_key_env": key})
    assert answer.status_code == 422
    assert key not in answer.content.decode()
    assert "api_key_env" in answer.context["form"].errors


def test_a_recorded_provider_cannot_be_edited(manager):
    provider = make_provider(kind="recorded")
    answer = manager.get(f"/models/providers/{provider.slug}/edit/", follow=True)
    assert "made by imports" in answer.content.decode()


def test_a_viewer_reads_and_is_told_who_can_do_more(viewer):
    provider = make_provider()
    assert "Product managers can change the inventory." in viewer.get(LIST).content.decode()
    for address in (NEW, f"/models/providers/{provider.slug}/edit/"):
        assert viewer.get(address).status_code == 403
        assert viewer.post(address, GOOD).status_code == 403
    assert Provider.objects.count() == 1


def test_a_provider_that_is_not_there_is_not_found(manager):
    assert manager.get("/models/providers/nobody/edit/").status_code == 404


def write_health(provider, *breakers, **fields):
    now = timezone.now()
    defaults = {"worker": "w", "limit": 4, "ceiling": 8, "waiting": 0, "seen_at": now}
    ProviderHealth.objects.create(provider=provider, breakers=list(breakers), **(defaults | fields))


def test_nothing_asked_yet_is_said(viewer):
    make_provider()
    page = viewer.get(LIST).content.decode()
    assert "Nothing has been asked yet" in page
    assert "every 5s" not in page


def test_an_open_breaker_and_a_lowered_limit_are_seen_and_kept_up_to_date(viewer, settings):
    settings.SHARED_STATE_URL = None
    provider = make_provider(name="House")
    broken = {"name": "large", "state": "open", "left_s": 40.0, "calls": 12, "failures": 7, "last_failure": "HTTP 503"}
    fine = {"name": "small", "state": "closed", "left_s": 0.0, "calls": 0, "failures": 0, "last_failure": ""}
    trying = {"name": "middle", "state": "probing", "left_s": 0.0, "calls": 3, "failures": 3, "last_failure": "cut"}
    write_health(provider, broken, fine, trying)
    page = BeautifulSoup(viewer.get(LIST).content, "html.parser").select_one("#health")
    assert page["hx-trigger"] == "every 5s"
    rows = [" ".join(row.get_text(" ").split()) for row in page.select("tbody tr")]
    assert [row.split()[0] for row in rows] == ["large", "middle", "small"]
    assert "Open next try in" in rows[0]
    assert "7 of 12 HTTP 503 4 of 8 lowered after 429" in rows[0]
    assert "Probing one call decides" in rows[1]
    assert "Closed no calls none" in rows[2]
    assert "Each worker goes by what it sees" in page.get_text(" ")


def test_the_fragment_is_the_section_of_the_page(viewer):
    provider = make_provider()
    write_health(provider, seen_at=timezone.now() - timedelta(hours=1))
    whole = BeautifulSoup(viewer.get(LIST).content, "html.parser").select_one("#health")
    answer = viewer.get(LIST, headers={"HX-Request": "true", "HX-Target": "health"})
    assert BeautifulSoup(answer.content, "html.parser").select_one("#health") == whole
