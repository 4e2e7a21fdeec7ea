import pytest
from django.contrib.auth.models import User

from panels.fusion.types import StrategyName
from panels.services.panels import add_version, create_panel
from panels.specs import MemberSpec, PanelSpec, StageSpec
from tests.factories import NOW, make_model, make_panel_version, make_provider


def weighted(*weights, models, stop_at=None):
    members = tuple(
        MemberSpec(model_id=model.pk, weight=weight) for model, weight in zip(models, weights, strict=False)
    )
    return PanelSpec(strategy=StrategyName.WEIGHTED, stages=(StageSpec(members=members),), stop_at=stop_at)


@pytest.fixture
def panel(db):
    """Two versions: the weight of birch went from 0.3 to 0.5, and elm came."""
    models = [make_model(name=name) for name in ("birch", "alder", "elm")]
    panel = create_panel(name="Sales", description="", spec=weighted(0.3, 1, models=models), by=None, now=NOW).panel
    add_version(panel=panel, spec=weighted(0.5, 1, 1, models=models), by=None, now=NOW)
    return panel


def test_the_page_of_a_panel_is_its_latest_version_with_all_of_them_listed(viewer, panel):
    answer = viewer.get("/panels/sales/")
    assert answer.context["page"].version.number == 2
    assert [row.version.number for row in answer.context["versions"].rows] == [2, 1]
    page = answer.content.decode()
    assert "birch: weight 0.3 → 0.5; elm added" in page
    assert "first version" in page


def test_a_version_shows_what_changed_against_the_one_before(viewer, panel):
    page = viewer.get("/panels/sales/v2/").content.decode()
    assert '<span class="was">0.3</span> <span class="now">0.5</span>' in page
    assert '<tr class="add">' in page
    assert "What changed" not in viewer.get("/panels/sales/v1/").content.decode()


def test_three_weights_of_which_none_outweighs_the_others_get_a_note(viewer, panel):
    assert "weighted decides as majority does" in viewer.get("/panels/sales/v2/").content.decode()
    assert "weighted decides as majority does" not in viewer.get("/panels/sales/v1/").content.decode()


def test_the_cost_follows_the_tokens_and_nonsense_changes_nothing(viewer):
    version = make_panel_version([[make_model(price=(10**9, 2 * 10**9))]], max_tokens=1_000)
    address = f"/panels/{version.panel.slug}/v1/"
    assert "$0.90</b> per 1,000 requests" in viewer.get(address).content.decode()
    assert "$4.00</b> per 1,000" in viewer.get(address, {"sent": "2,000", "received": "1000"}).content.decode()
    assert "$0.90</b> per" in viewer.get(address, {"sent": "-1", "received": "9" * 30}).content.decode()
    fragment = viewer.get(address, HTTP_HX_REQUEST="true", HTTP_HX_TARGET="cost").content.decode().strip()
    assert fragment.startswith('<section class="stack-list" id="cost"')
    assert fragment in viewer.get(address).content.decode()


def test_an_unknown_price_is_a_word_and_names_the_model(viewer):
    version = make_panel_version([[make_model(name="cheap")], [make_model(name="mystery", price=None)]], stop_at=1.0)
    page = viewer.get(f"/panels/{version.panel.slug}/").content.decode()
    assert "<b>unknown</b> per 1,000 requests" in page
    assert "No price is known for mystery." in page


def test_simulated_recorded_and_retired_members_are_marked(viewer):
    models = [make_model(), make_model(provider=make_provider(kind="recorded")), make_model(name="gone")]
    version = make_panel_version([models])
    models[2].status, models[2].retired_at = "retired", NOW
    models[2].save()
    page = viewer.get(f"/panels/{version.panel.slug}/").content.decode()
    assert "tag simulated" in page
    assert ">recorded</span>" in page
    assert "Retired: gone." in page


def test_a_settling_stage_says_so(viewer):
    version = make_panel_version([[make_model()], [make_model()]], stop_at=1.0, settles=True)
    page = viewer.get(f"/panels/{version.panel.slug}/").content.decode()
    assert "Stage 2, settles" in page
    assert "Stops here at a consensus of 1 or more" in page


def test_the_spec_is_a_file_that_names_models_by_provider(viewer):
    model = make_model(name="birch", provider=make_provider(slug="house"))
    version = make_panel_version([[model]], max_tokens=10)
    answer = viewer.get(f"/panels/{version.panel.slug}/v1/spec.json")
    assert answer.json()["stages"] == [
        {
            "settles": False,
            "members": [
                {
                    "provider": "house",
                    "model": "birch",
                    "weight": 1.0,
                    "skill": None,
                    "max_tokens": 10,
                    "temperature": None,
                    "top_p": None,
                    "seed": None,
                    "in_house": False,
                }
            ],
        }
    ]
    assert answer.json()["content_hash"] == version.content_hash
    assert "attachment" in answer["Content-Disposition"]


def test_many_versions_come_in_pages_and_take_few_queries(viewer, django_assert_max_num_queries):
    models, by = [make_model() for _ in range(3)], User.objects.create_user("author")
    panel = create_panel(name="Sales", description="", spec=weighted(1, 1, 1, models=models), by=by, now=NOW).panel
    for weight in range(2, 31):
        add_version(panel=panel, spec=weighted(weight, 1, 1, models=models), by=by, now=NOW)
    with django_assert_max_num_queries(15):
        first = viewer.get("/panels/sales/")
    versions = first.context["versions"]
    assert [row.version.number for row in versions.rows] == list(range(30, 10, -1))
    assert all(len(row.changes.words) == 1 for row in versions.rows)
    second = viewer.get("/panels/sales/", {"after": versions.next_key}).context["versions"]
    assert [row.version.number for row in second.rows] == list(range(10, 0, -1))
    assert second.rows[-1].changes is None
    with django_assert_max_num_queries(15):
        viewer.get("/panels/sales/v7/")


@pytest.mark.parametrize(
    "address",
    [
        "/panels/nobody/",
        "/panels/sales/v3/",
        "/panels/sales/v0/",
        "/panels/sales/v99999999999999999999/",
        "/panels/sales/v3/spec.json",
    ],
)
def test_what_is_not_there_is_not_found(viewer, panel, address):
    assert viewer.get(address).status_code == 404


def test_a_viewer_is_told_who_can_make_versions(viewer, panel):
    page = viewer.get("/panels/sales/").content.decode()
    assert "Product managers can make panels" in page
    assert "new-version" not in page
