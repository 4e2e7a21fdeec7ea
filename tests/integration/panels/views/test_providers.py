from datetime import date, timedelta

import pytest
from bs4 import BeautifulSoup
from django.utils import timezone

from panels.models import Contract, Provider, ProviderHealth
from panels.selectors.models import offered_models
from tests.factories import make_contract, make_model, make_provider

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
    assert text.splitlines()[0] == "slug,name,kind,base_url,api_key_env,models,contract,contract_until"
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


RECORD = {
    "has_dpa": "yes",
    "has_baa": "unknown",
    "trains_on_data": "no",
    "regions": "EU, us-east-1",
    "retention_days": "30",
    "valid_from": "2026-01-01",
    "valid_until": "2999-12-31",
    "evidence": "https://contracts.example/7",
    "checked_on": "2026-01-01",
    "owner": "Legal",
}


def contracts_new(provider):
    return f"/models/providers/{provider.slug}/contracts/new/"


def test_a_provider_without_a_contract_says_what_that_means(viewer):
    provider = make_provider(name="House", contracted=False)
    page = viewer.get(f"/models/providers/{provider.slug}/").content.decode()
    assert "No contract" in page
    assert "no contract with it has begun" in page
    assert "Product managers and compliance can record contracts." in page


def test_a_contract_is_recorded_and_shown_with_all_before_it(manager):
    provider = make_provider(name="House")
    answer = manager.post(contracts_new(provider), RECORD, follow=True)
    assert answer.redirect_chain == [(f"/models/providers/{provider.slug}/", 302)]
    page = answer.context["page"].contracts
    assert (page.speaking.regions, page.speaking.retention_days) == (["eu", "us-east-1"], 30)
    assert [(row.speaks, row.standing.word) for row in page.rows] == [
        (True, "Until 31 Dec 2999"),
        (False, "Replaced by a later record"),
    ]
    assert "eu, us-east-1" in answer.content.decode()
    csv = b"".join(manager.get(f"/models/providers/{provider.slug}/", {"export": "csv"}).streaming_content).decode()
    assert len(csv.splitlines()) == 3
    assert "https://contracts.example/7" in csv


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"valid_until": "2025-01-01"}, "valid_until"),
        ({"valid_from": "soon"}, "valid_from"),
        ({"evidence": "javascript:alert(1)"}, "evidence"),
        ({"retention_days": "long"}, "retention_days"),
        ({"has_dpa": "perhaps"}, "has_dpa"),
        ({"owner": ""}, "owner"),
    ],
)
def test_what_is_wrong_with_a_record_is_said_beside_its_field(manager, changes, field):
    provider = make_provider(contracted=False)
    for headers in ({}, {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "form"}):
        answer = manager.post(contracts_new(provider), RECORD | changes, **headers)
        assert answer.status_code == 422
        assert list(answer.context["form"].errors) == [field]
    assert not Contract.objects.exists()


def test_a_viewer_cannot_record_a_contract(viewer):
    provider = make_provider(contracted=False)
    assert viewer.get(contracts_new(provider)).status_code == 403
    assert viewer.post(contracts_new(provider), RECORD).status_code == 403
    assert not Contract.objects.exists()


def test_a_recorded_provider_needs_no_contract(manager):
    provider = make_provider(kind="recorded")
    page = manager.get(f"/models/providers/{provider.slug}/").content.decode()
    assert "Reaches nobody" in page
    assert "Record a contract" not in page
    assert manager.post(contracts_new(provider), RECORD).status_code == 422


@pytest.mark.parametrize(
    ("days", "word", "state"),
    [(-1, "Ended ", "fail"), (0, "Ends today", "risk"), (1, "Ends in 1 day", "risk"), (30, "Ends in 30 days", "risk")],
)
def test_a_contract_that_ends_soon_is_seen_in_the_list(viewer, days, word, state):
    provider = make_provider(name="House", contracted=False)
    make_contract(provider, valid_until=timezone.localdate() + timedelta(days=days))
    (row,) = viewer.get(LIST).context["providers"].rows
    assert row.standing.state == state
    assert row.standing.word.startswith(word)


@pytest.mark.parametrize(
    ("asked", "shown"), [("open", ["Long", "Soon"]), ("soon", ["Soon"]), ("ended", ["Over"]), ("missing", ["Bare"])]
)
def test_the_list_is_filtered_and_sorted_by_contract(viewer, asked, shown):
    today = timezone.localdate()
    make_provider(name="Long")
    make_contract(make_provider(name="Soon", contracted=False), valid_until=today + timedelta(days=9))
    make_contract(make_provider(name="Over", contracted=False), valid_until=today - timedelta(days=9))
    make_contract(make_provider(name="Bare", contracted=False), valid_from=today + timedelta(days=1))
    rows = viewer.get(LIST, {"contract": asked}).context["providers"].rows
    assert [row.provider.name for row in rows] == shown
    sorted_rows = viewer.get(LIST, {"sort": "contract"}).context["providers"].rows
    assert [row.provider.name for row in sorted_rows] == ["Over", "Soon", "Long", "Bare"]
    assert "No provider matches" in viewer.get(LIST, {"contract": asked, "q": "zzz"}).content.decode()


def test_the_page_of_a_provider_takes_few_queries(viewer, django_assert_max_num_queries):
    provider = make_provider()
    for number in range(120):
        make_contract(provider, valid_from=date(2020, 1, 2), retention_days=number)
    for _ in range(30):
        make_model(provider=provider)
    with django_assert_max_num_queries(10):
        page = viewer.get(f"/models/providers/{provider.slug}/").context["page"]
    assert (len(page.contracts.rows), page.contracts.count) == (100, 121)
    assert (len(page.models), page.model_count) == (20, 30)


def test_a_contract_to_come_says_when_it_begins(viewer):
    provider = make_provider(contracted=False)
    make_contract(provider, valid_from=timezone.localdate() + timedelta(days=1))
    (row,) = viewer.get(f"/models/providers/{provider.slug}/").context["page"].contracts.rows
    assert row.standing.word.startswith("Begins ")
