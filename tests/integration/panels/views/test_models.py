import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse
from django.utils import timezone

from panels.models import LanguageModel, Provider
from tests.factories import NOW, make_model, make_panel_version, make_provider

LIST = "/models/"


def form_for(provider, **fields):
    return {"provider": provider.pk, "name": "gpt-4o", "price_in": "2.5", "price_out": "10"} | fields


def test_a_stranger_is_sent_to_the_login(db, client):
    assert client.get(LIST)["Location"] == f"/login/?next={LIST}"


def test_an_empty_inventory_says_what_to_do(manager):
    assert "No models yet" in manager.get(LIST).content.decode()


def test_unknown_prices_are_words_and_simulated_models_are_marked(viewer):
    make_model(name="known", price=(150_000_000, 600_000_000))
    make_model(name="mystery", price=None, provider=make_provider(kind="openai", base_url="https://x.example/v1"))
    page = viewer.get(LIST).content.decode()
    assert "$0.15" in page
    assert "unknown" in page
    assert page.count("tag simulated") == 1


def test_recorded_models_are_hidden_until_asked_for(viewer):
    make_model(name="live-one")
    make_model(name="replayed-one", provider=make_provider(kind=Provider.Kind.RECORDED))
    assert "replayed-one" not in viewer.get(LIST).content.decode()
    assert "1 recorded not shown" in viewer.get(LIST).content.decode()
    assert "replayed-one" in viewer.get(LIST, {"kind": "recorded"}).content.decode()
    everything = viewer.get(LIST, {"kind": "all"}).content.decode()
    assert "live-one" in everything
    assert "replayed-one" in everything


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"q": "alp"}, ["alpha"]),
        ({"provider": "second"}, ["beta"]),
        ({"status": "retired"}, ["gamma"]),
        ({"status": "available", "sort": "-name"}, ["beta", "alpha"]),
        ({"sort": "-price_in"}, ["beta", "alpha", "gamma"]),
        ({"sort": "nonsense", "kind": "nonsense", "after": "nonsense"}, ["alpha", "beta", "gamma"]),
    ],
)
def test_the_list_is_filtered_and_sorted_by_its_address(viewer, query, shown):
    first, second = make_provider(slug="first"), make_provider(slug="second")
    make_model(name="alpha", provider=first, price=(1, 1))
    make_model(name="beta", provider=second, price=(2, 2))
    make_model(name="gamma", provider=first, price=None, retired_at=NOW)
    assert [model.name for model in viewer.get(LIST, query).context["models"].page.rows] == shown


def test_a_filter_that_nothing_fits_offers_to_clear_it(viewer):
    make_model()
    assert "No model matches" in viewer.get(LIST, {"q": "zzz"}).content.decode()


def test_pages_follow_each_other_and_the_fragment_is_the_page_s_own(viewer):
    provider = make_provider()
    for number in range(51):
        make_model(name=f"model-{number:02}", provider=provider)
    first = viewer.get(LIST).context["models"].page
    second = viewer.get(LIST, {"after": first.next_key})
    assert [model.name for model in second.context["models"].page.rows] == ["model-50"]
    fragment = viewer.get(LIST, {"after": first.next_key}, HTTP_HX_REQUEST="true", HTTP_HX_TARGET="rows")
    assert fragment.content.decode().strip().startswith('<section id="rows"')
    assert fragment.content.decode().strip() in second.content.decode()


def test_a_large_inventory_takes_few_queries(viewer, django_assert_max_num_queries):
    provider = make_provider()
    LanguageModel.objects.bulk_create(
        LanguageModel(provider=provider, name=f"model-{number}", created_at=NOW) for number in range(1_000)
    )
    with django_assert_max_num_queries(12):
        viewer.get(LIST)
    with django_assert_max_num_queries(12):
        viewer.get(reverse("panels:model", args=[LanguageModel.objects.get(name="model-7").pk]))


def test_the_export_has_the_rows_of_the_filter(viewer):
    make_model(name="alpha", price=(150_000_000, 600_000_000))
    make_model(name="beta", price=None)
    lines = b"".join(viewer.get(LIST, {"export": "jsonl", "sort": "-name"}).streaming_content).splitlines()
    rows = [json.loads(line) for line in lines]
    assert [(row["model"], row["price_in_usd_per_mtok"]) for row in rows] == [("beta", None), ("alpha", 0.15)]
    csv = b"".join(viewer.get(LIST, {"export": "csv", "q": "alpha"}).streaming_content).decode().splitlines()
    assert len(csv) == 2
    assert csv[0].startswith("id,provider,kind,model,")


def test_a_model_is_added_with_prices_in_dollars(manager):
    provider = make_provider()
    answer = manager.post("/models/new/", form_for(provider), follow=True)
    model = LanguageModel.objects.get()
    assert (model.price_in_nanousd_per_mtok, model.price_out_nanousd_per_mtok) == (2_500_000_000, 10_000_000_000)
    assert answer.redirect_chain == [(f"/models/{model.pk}/", 302)]
    assert "is in the inventory" in answer.content.decode()


@pytest.mark.parametrize("price", ["-1", "NaN", "Infinity", "1e9", "abc", ""])
def test_a_wrong_price_is_refused_at_its_field(manager, price):
    answer = manager.post("/models/new/", form_for(make_provider(), price_in=price))
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["price_in"]
    assert 'aria-invalid="true"' in answer.content.decode()
    assert not LanguageModel.objects.exists()


def test_an_htmx_form_gets_the_form_back_or_is_sent_on(manager):
    provider, headers = make_provider(), {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "form"}
    wrong = manager.post("/models/new/", form_for(provider, name=""), **headers)
    assert wrong.status_code == 422
    assert wrong.content.decode().strip().startswith('<form class="form" id="form"')
    right = manager.post("/models/new/", form_for(provider), **headers)
    assert (right.status_code, right["HX-Redirect"]) == (204, f"/models/{LanguageModel.objects.get().pk}/")


def test_a_price_change_says_that_the_past_stays(manager):
    model = make_model(price=(1, 3))
    page = manager.get(f"/models/{model.pk}/edit/").content.decode()
    assert "stored with them and stays" in page
    assert 'value="0.000000003"' in page
    answer = manager.post(f"/models/{model.pk}/edit/", form_for(model.provider, name=model.name), follow=True)
    assert "What past calls cost stays as it was" in answer.content.decode()


def test_a_seated_model_keeps_its_id_whatever_is_sent(manager):
    model = make_model(name="kept")
    make_panel_version([[model]])
    manager.post(f"/models/{model.pk}/edit/", form_for(make_provider(), name="other"))
    model.refresh_from_db()
    assert model.name == "kept"
    assert model.price_in_nanousd_per_mtok == 2_500_000_000


def test_retiring_can_be_undone(manager):
    model = make_model()
    page = manager.post(f"/models/{model.pk}/retire/", follow=True).content.decode()
    assert "Bring back" in page
    assert LanguageModel.objects.get().retired_at is not None
    assert "is back, as proposed" in manager.post(f"/models/{model.pk}/bring-back/", follow=True).content.decode()
    again = manager.post(f"/models/{model.pk}/bring-back/", follow=True)
    assert "is not retired" in again.content.decode()


def test_a_recorded_model_has_no_controls(manager):
    model = make_model(provider=make_provider(kind=Provider.Kind.RECORDED))
    page = manager.get(f"/models/{model.pk}/").content.decode()
    assert "stay as they were imported" in page
    assert "retire" not in page
    assert "Recorded models belong to" in manager.get(f"/models/{model.pk}/edit/", follow=True).content.decode()
    assert "Recorded models belong to" in manager.post(f"/models/{model.pk}/retire/", follow=True).content.decode()


def test_the_page_of_a_model_lists_the_versions_that_seat_it(viewer):
    model = make_model()
    version = make_panel_version([[model]])
    page = viewer.get(f"/models/{model.pk}/").content.decode()
    assert reverse("panels:version", args=[version.panel.slug, 1]) in page


def test_a_viewer_reads_and_is_told_who_can_do_more(viewer):
    model = make_model()
    for address in (LIST, f"/models/{model.pk}/"):
        page = viewer.get(address).content.decode()
        assert "Product managers can change the inventory." in page
        assert "/models/new/" not in page
    for address in ("/models/new/", f"/models/{model.pk}/edit/"):
        refused = viewer.get(address)
        assert refused.status_code == 403
        assert "Product managers can change the inventory." in refused.content.decode()
    for action in ("retire", "bring-back"):
        assert viewer.post(f"/models/{model.pk}/{action}/").status_code == 403
        assert viewer.get(f"/models/{model.pk}/{action}/").status_code == 405


@pytest.mark.parametrize("address", ["/models/999/", "/models/99999999999999999999999/"])
def test_a_model_that_is_not_there_is_not_found(viewer, address):
    assert viewer.get(address).status_code == 404


USE = {
    "status": "trial",
    "licence": "Apache-2.0",
    "output_use": "product",
    "allowed_roles": ["member"],
    "allowed_data_classes": ["public", "internal"],
    "deprecated_on": "2027-01-31",
}


@pytest.fixture
def compliance(db, client):
    user = User.objects.create_user("cora")
    user.groups.add(Group.objects.get(name="compliance"))
    client.force_login(user)
    return client


def test_compliance_says_what_a_model_may_be_used_for(compliance):
    model = make_model(status="proposed", licence="", allowed_roles=[])
    page = compliance.get(f"/models/{model.pk}/").content.decode()
    assert "Nothing is sent to a proposed model" in page
    assert f'href="/models/{model.pk}/use/"' in page
    answer = compliance.post(f"/models/{model.pk}/use/", USE, follow=True)
    model.refresh_from_db()
    assert (model.status, model.allowed_roles, str(model.deprecated_on)) == ("trial", ["member"], "2027-01-31")
    told = answer.content.decode()
    assert "On trial" in told
    assert "status: proposed → trial" in told
    assert "allowed roles: none → member" in told
    assert '<td data-l="Who">cora</td>' in told


def test_a_viewer_may_not_say_it(viewer):
    model = make_model()
    assert "Set its use" not in viewer.get(f"/models/{model.pk}/").content.decode()
    assert viewer.get(f"/models/{model.pk}/use/").status_code == 403
    assert viewer.post(f"/models/{model.pk}/use/", USE).status_code == 403


def test_what_is_wrong_with_a_use_is_said_beside_its_field(manager):
    model = make_model()
    for headers in ({}, {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "form"}):
        answer = manager.post(f"/models/{model.pk}/use/", USE | {"licence": "", "output_use": "unknown"}, **headers)
        assert answer.status_code == 422
        assert set(answer.context["form"].errors) == {"licence", "output_use"}
    assert LanguageModel.objects.get().status == "approved"


def test_a_recorded_model_has_no_use_to_set(manager):
    model = make_model(provider=make_provider(kind="recorded"))
    assert "Set its use" not in manager.get(f"/models/{model.pk}/").content.decode()
    answer = manager.post(f"/models/{model.pk}/use/", USE)
    assert answer.status_code == 422
    assert "stay as they were imported" in answer.content.decode()


def test_a_retired_model_keeps_its_state_in_the_form(manager):
    model = make_model(retired_at=NOW)
    states = manager.get(f"/models/{model.pk}/use/").context["form"].fields["status"].choices
    assert states == [("retired", "Retired")]


@pytest.mark.parametrize(
    ("days", "words", "state"),
    [(-1, "Ended by its vendor", "fail"), (0, "Ends ", "risk"), (90, "Ends ", "risk"), (91, "Ends ", "none")],
)
def test_a_vendors_last_day_is_warned_of_in_time(viewer, days, words, state):
    heir = make_model(name="heir")
    model = make_model(deprecated_on=timezone.localdate() + timedelta(days=days), replaced_by=heir)
    answer = viewer.get(f"/models/{model.pk}/")
    assert answer.context["deprecation"].state == state
    assert answer.context["deprecation"].word.startswith(words)
    assert "Its replacement is" in answer.content.decode()
    assert [row.name for row in viewer.get(LIST, {"status": "deprecated"}).context["models"].page.rows] == [model.name]


def test_a_retired_model_is_past_warning(viewer):
    model = make_model(deprecated_on=timezone.localdate(), retired_at=NOW)
    assert viewer.get(f"/models/{model.pk}/").context["deprecation"] is None


def test_the_page_shows_every_price_and_the_export_what_a_model_may_be_used_for(viewer):
    model = make_model(name="alpha", price=(150_000_000, 600_000_000), pinned_version="alpha-1")
    page = viewer.get(f"/models/{model.pk}/").content.decode()
    assert "Prices over time" in page
    (line,) = b"".join(viewer.get(LIST, {"export": "jsonl"}).streaming_content).splitlines()
    row = json.loads(line)
    assert (row["status"], row["allowed_roles"], row["pinned_version"]) == ("approved", "member arbiter", "alpha-1")
    assert (row["deprecated_on"], row["replaced_by"]) == (None, "")


@pytest.mark.parametrize("status", ["proposed", "trial", "restricted", "retired"])
def test_the_list_is_filtered_by_status_and_says_it_in_words(viewer, status):
    make_model(name="other")
    make_model(name="wanted", status=status, retired_at=NOW if status == "retired" else None)
    answer = viewer.get(LIST, {"status": status})
    assert [row.name for row in answer.context["models"].page.rows] == ["wanted"]
    assert LanguageModel.Status(status).label in answer.content.decode()
