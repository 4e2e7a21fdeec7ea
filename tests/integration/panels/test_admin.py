import pytest
from django.contrib.auth.models import User

from panels.models import LanguageModel, Provider
from tests.factories import make_model, make_panel_version, make_provider


@pytest.fixture
def administrator(db, client):
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.mark.parametrize("kind", ["provider", "languagemodel", "panel", "panelversion"])
def test_every_list_and_form_opens(administrator, kind):
    version = make_panel_version([[make_model()]])
    rows = {
        "provider": Provider.objects.get().pk,
        "languagemodel": LanguageModel.objects.get().pk,
        "panel": version.panel_id,
        "panelversion": version.pk,
    }
    assert administrator.get(f"/admin/panels/{kind}/").status_code == 200
    assert administrator.get(f"/admin/panels/{kind}/{rows[kind]}/change/").status_code == 200


@pytest.mark.parametrize("kind", ["panel", "panelversion"])
def test_panels_and_versions_cannot_be_written(administrator, kind):
    version = make_panel_version([[make_model()]])
    pk = version.pk if kind == "panelversion" else version.panel_id
    for action in ("change", "delete"):
        assert administrator.post(f"/admin/panels/{kind}/{pk}/{action}/", {"name": "x"}).status_code == 403
    assert administrator.get(f"/admin/panels/{kind}/add/").status_code == 403


def test_a_provider_obeys_the_rules_of_its_page(administrator):
    good = {"name": "House", "kind": "openai", "base_url": "https://house.example/v1", "api_key_env": "HOUSE_API_KEY"}
    wrong = administrator.post("/admin/panels/provider/add/", good | {"base_url": "https://169.254.169.254/"})
    assert "metadata service" in wrong.content.decode()
    assert administrator.post("/admin/panels/provider/add/", good).status_code == 302
    provider = Provider.objects.get()
    administrator.post(f"/admin/panels/provider/{provider.pk}/change/", good | {"name": "Home"})
    assert Provider.objects.get().name == "Home"


def test_a_model_is_priced_in_dollars_and_keeps_its_id_while_seated(administrator):
    provider = make_provider()
    good = {"provider": provider.pk, "name": "birch", "price_in": "0.15", "price_out": "0.6"}
    wrong = administrator.post("/admin/panels/languagemodel/add/", good | {"price_in": "-1"})
    assert "must be a number from 0" in wrong.content.decode()
    assert administrator.post("/admin/panels/languagemodel/add/", good).status_code == 302
    model = LanguageModel.objects.get()
    assert model.price_in_nanousd_per_mtok == 150_000_000
    make_panel_version([[model]])
    changed = good | {"name": "other", "price_in": "0.2"}
    assert administrator.post(f"/admin/panels/languagemodel/{model.pk}/change/", changed).status_code == 302
    model.refresh_from_db()
    assert (model.name, model.price_in_nanousd_per_mtok) == ("birch", 200_000_000)


def test_what_an_import_made_cannot_be_changed(administrator):
    model = make_model(provider=make_provider(kind="recorded"))
    for kind, pk in (("languagemodel", model.pk), ("provider", model.provider_id)):
        assert administrator.post(f"/admin/panels/{kind}/{pk}/change/", {"name": "x"}).status_code == 403
        assert administrator.post(f"/admin/panels/{kind}/{pk}/delete/").status_code == 403
