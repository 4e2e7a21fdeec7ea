import json

import pytest

from panels.fusion.types import ArbiterWhen, Sampling, StrategyName, Timing
from panels.models import LanguageModel, Panel, PanelVersion
from panels.selectors.models import full_name
from panels.services.panels import create_panel
from panels.specs import ArbiterSpec, MemberSpec, PanelSpec, StageSpec, spec_of
from tests.factories import NOW, make_model, make_panel_version, make_provider

LIST, NEW = "/panels/", "/panels/new/"


def rows_for(*stages, totals=None):
    """The fields of the rows: every stage is a list of dicts with the texts of a row."""
    data = {}
    for stage in range(3):
        rows = stages[stage] if stage < len(stages) else []
        data[f"stage{stage}-TOTAL_FORMS"] = str(len(rows))
        data[f"stage{stage}-INITIAL_FORMS"] = "0"
        for number, row in enumerate(rows):
            texts = {"weight": "1", "max_tokens": "1024"} | row
            data |= {f"stage{stage}-{number}-{name}": value for name, value in texts.items()}
    return data


def seat(model, **texts):
    return {"model": full_name(model)} | texts


def head(**fields):
    return {"name": "Sales", "strategy": "majority"} | fields


def test_no_panel_yet_says_what_to_do(manager, viewer):
    assert "No panels yet" in viewer.get(LIST).content.decode()


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, ["Alone", "Staged"]),
        ({"q": "stag"}, ["Staged"]),
        ({"q": "bir"}, ["Alone"]),
        ({"strategy": "weighted"}, ["Staged"]),
        ({"size": "single"}, ["Alone"]),
        ({"size": "several"}, ["Staged"]),
        ({"kind": "recorded"}, ["Alone"]),
        ({"sort": "-members"}, ["Staged", "Alone"]),
        ({"sort": "stop_at"}, ["Staged", "Alone"]),
        ({"sort": "-nonsense", "model": "nonsense", "before": "nonsense"}, ["Alone", "Staged"]),
        ({"q": "zzz"}, []),
    ],
)
def test_the_list_is_filtered_and_sorted_by_its_address(viewer, query, shown):
    birch = make_model(name="birch", provider=make_provider(kind="recorded"))
    others = [make_model(name="alder"), make_model(name="elm")]
    weighted = PanelSpec(
        strategy=StrategyName.WEIGHTED,
        stop_at=0.8,
        stages=tuple(StageSpec(members=(MemberSpec(model_id=model.pk),)) for model in others),
    )
    create_panel(name="Staged", description="", spec=weighted, by=None, now=NOW)
    alone = PanelSpec(strategy=StrategyName.MAJORITY, stages=(StageSpec(members=(MemberSpec(model_id=birch.pk),)),))
    create_panel(name="Alone", description="", spec=alone, by=None, now=NOW)
    answer = viewer.get(LIST, query)
    assert [row.panel.name for row in answer.context["panels"].page.rows] == shown
    assert ("No panel matches" in answer.content.decode()) is (not shown)


def arbitrated(judge, **fields):
    arbiter = {"arbiter": full_name(judge), "arbiter_when": "always", "arbiter_max_tokens": "400"}
    return head(strategy="synthesis") | arbiter | fields


def test_a_panel_with_an_arbiter_is_made_and_comes_back_to_the_form_unchanged(manager):
    judge, models = make_model(name="judge"), [make_model(), make_model()]
    data = arbitrated(
        judge,
        arbiter_temperature="0.2",
        arbiter_seed="7",
        arbiter_may_be_member="on",
        min_replies="2",
        grace_s="0.5",
        deadline_s="4",
        hedges="on",
        max_cost="0.02",
    )
    rows = rows_for([seat(models[0], in_house="on"), seat(models[1])])
    answer = manager.post(NEW, data | rows, follow=True)
    assert answer.redirect_chain == [("/panels/sales/v1/", 302)]
    spec = spec_of(PanelVersion.objects.get())
    assert spec.arbiter == ArbiterSpec(
        model_id=judge.pk,
        prompt="synthesis-1",
        when=ArbiterWhen.ALWAYS,
        sampling=Sampling(max_tokens=400, temperature=0.2, seed=7),
        may_be_member=True,
    )
    assert spec.timing == Timing(min_replies=2, grace_s=0.5, deadline_s=4.0, hedges=True)
    assert spec.max_cost_nanousd == 20_000_000
    assert [member.in_house for member in spec.members] == [True, False]
    page = answer.content.decode()
    assert "The arbiter is asked every time." in page
    assert "$0.02" in page
    editor = manager.get("/panels/sales/new-version/").context["editor"]
    assert editor.asks_arbiter
    assert editor.is_timed
    shown = {box.name: box.value() for form in (editor.head, editor.arbiter, editor.live) for box in form}
    again = {name: value for name, value in shown.items() if value not in {None, "", False}}
    answer = manager.post("/panels/sales/new-version/", again | rows)
    assert "exactly this content" in answer.content.decode()


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"arbiter": "nobody"}, "arbiter"),
        ({"arbiter_max_tokens": ""}, "arbiter_max_tokens"),
        ({"arbiter_max_tokens": "0"}, "arbiter_max_tokens"),
        ({"arbiter_temperature": "9"}, "arbiter_temperature"),
        ({"arbiter_when": "never"}, "arbiter_when"),
        ({"strategy": "majority"}, "arbiter"),
    ],
)
def test_a_wrong_arbiter_is_named_at_its_field(manager, fields, wrong):
    answer = manager.post(NEW, arbitrated(make_model(), **fields) | rows_for([seat(make_model())]))
    assert answer.status_code == 422
    assert list(answer.context["editor"].arbiter.errors) == [wrong]
    assert answer.context["editor"].asks_arbiter


def test_a_wrong_live_setting_is_named_at_its_field(manager):
    data = head(deadline_s="-1", max_cost="0")
    answer = manager.post(NEW, data | rows_for([seat(make_model())]))
    assert answer.status_code == 422
    assert list(answer.context["editor"].live.errors) == ["deadline_s", "max_cost"]


def test_the_list_shows_the_latest_version_alone(viewer, manager):
    first = make_panel_version([[make_model()]])
    PanelVersion.objects.create(
        panel=first.panel, number=2, strategy="majority", content_hash="x", created_at=NOW
    ).members.create(model=make_model(name="fresh"), stage=0, seat=0)
    rows = viewer.get(LIST).context["panels"].page.rows
    assert [(row.version.number, row.members[0].model.name) for row in rows] == [(2, "fresh")]


def test_many_panels_take_few_queries(viewer, django_assert_max_num_queries):
    models = [make_model() for _ in range(5)]
    for number in range(200):
        make_panel_version([models[: 1 + number % 5]])
    with django_assert_max_num_queries(12):
        answer = viewer.get(LIST)
    assert answer.context["panels"].total == 200


def test_the_export_names_models_with_their_provider(viewer):
    model = make_model(name="birch", provider=make_provider(slug="house"))
    make_panel_version([[model]], stop_at=0.5)
    (line,) = b"".join(viewer.get(LIST, {"export": "jsonl"}).streaming_content).splitlines()
    row = json.loads(line)
    assert (row["models"], row["stop_at"], row["version"]) == ("house/birch", 0.5, 1)


def test_a_panel_of_three_stages_is_made_without_javascript(manager):
    models = [make_model() for _ in range(4)]
    stages = [[seat(models[0], weight="0.5"), seat(models[1])], [seat(models[2], temperature="0.2")], [seat(models[3])]]
    data = head(strategy="weighted", stop_at="0.8", settles="on", description="Tries the cheap ones first.")
    answer = manager.post(NEW, data | rows_for(*stages), follow=True)
    assert answer.redirect_chain == [("/panels/sales/v1/", 302)]
    version = PanelVersion.objects.get()
    assert version.created_by is not None
    assert spec_of(version) == PanelSpec(
        strategy=StrategyName.WEIGHTED,
        stop_at=0.8,
        stages=(
            StageSpec(members=(MemberSpec(model_id=models[0].pk, weight=0.5), MemberSpec(model_id=models[1].pk))),
            StageSpec(members=(MemberSpec(model_id=models[2].pk, sampling=Sampling(temperature=0.2)),)),
            StageSpec(members=(MemberSpec(model_id=models[3].pk),), settles=True),
        ),
    )


def test_blank_rows_say_nothing(manager):
    model = make_model()
    cleared = {"weight": "", "max_tokens": ""}
    manager.post(NEW, head() | rows_for([{}, seat(model), cleared], [{}], [{}]))
    assert spec_of(PanelVersion.objects.get()).stages == (StageSpec(members=(MemberSpec(model_id=model.pk),)),)


@pytest.mark.parametrize(
    ("texts", "field"),
    [
        ({"model": "no/such"}, "model"),
        ({"model": "", "weight": "2"}, "model"),
        ({"weight": "-1"}, "weight"),
        ({"weight": "nan"}, "weight"),
        ({"weight": ""}, "weight"),
        ({"max_tokens": "0"}, "max_tokens"),
        ({"max_tokens": "5000"}, "max_tokens"),
        ({"max_tokens": "1.5"}, "max_tokens"),
        ({"temperature": "3"}, "temperature"),
        ({"top_p": "0"}, "top_p"),
        ({"skill": "1"}, "skill"),
        ({"seed": "9" * 30}, "seed"),
    ],
)
def test_a_wrong_member_is_named_at_its_row_and_field(manager, texts, field):
    good, model = make_model(), make_model(max_output_tokens=4_000)
    answer = manager.post(NEW, head() | rows_for([seat(good)], [{}, seat(model) | texts]))
    assert answer.status_code == 422
    rows = answer.context["editor"].stages[1].forms
    assert [list(row.errors) for row in rows] == [[], [field]]
    assert f'id="id_stage1-1-{field}_error"' in answer.content.decode()
    assert not Panel.objects.exists()


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": ""}, "name"),
        ({"name": "new"}, "name"),
        ({"stop_at": "1.5"}, "stop_at"),
        ({"stop_at": "inf"}, "stop_at"),
        ({"strategy": "loudest"}, "strategy"),
        ({"settles": "on"}, "settles"),
    ],
)
def test_a_wrong_schedule_is_named_at_its_field(manager, fields, wrong):
    answer = manager.post(NEW, head(**fields) | rows_for([seat(make_model())]))
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [wrong]


def test_a_panel_without_members_or_with_an_empty_stage_between_is_refused(manager):
    model = make_model()
    nobody = manager.post(NEW, head() | rows_for([{}], [{}], [{}]))
    between = manager.post(NEW, head() | rows_for([seat(model)], [{}], [seat(model)]))
    assert "at least one stage with one member" in nobody.content.decode()
    assert "Stage 2 has no members" in between.content.decode()
    assert not Panel.objects.exists()


def test_a_retired_model_is_not_offered_and_not_seated(manager):
    model = make_model(retired_at=NOW)
    assert full_name(model) not in manager.get(NEW).content.decode()
    assert "is retired" in manager.post(NEW, head() | rows_for([seat(model)])).content.decode()


def test_a_model_may_be_named_by_its_id_where_only_one_provider_has_it(manager):
    model = make_model(name="only-one")
    manager.post(NEW, head() | rows_for([{"model": "only-one"}]))
    assert PanelVersion.objects.get().members.get().model == model
    make_model(name="only-one")
    assert manager.post(NEW, head(name="Other") | rows_for([{"model": "only-one"}])).status_code == 422


def test_add_and_remove_keep_what_was_typed_and_judge_nothing(manager):
    rows = rows_for([{"model": "half typ", "weight": "x"}, {"model": "second"}], [{}], [{}])
    added = manager.post(NEW, head(name="") | rows | {"add_row": "0"})
    assert added.status_code == 200
    page = added.content.decode()
    assert 'value="half typ"' in page
    assert 'name="stage0-2-model"' in page
    assert "data-focus" in page
    assert "aria-invalid" not in page
    removed = manager.post(NEW, head() | rows | {"remove_row": "0-0"}).content.decode()
    assert "half typ" not in removed
    assert 'name="stage0-0-model" value="second"' in removed
    assert not Panel.objects.exists()


@pytest.mark.parametrize(
    "button", [{"add_row": "9"}, {"add_row": "x"}, {"remove_row": "0"}, {"remove_row": "0-"}, {"add_row": "-1"}]
)
def test_a_button_that_no_page_has_is_no_button(manager, button):
    answer = manager.post(NEW, head() | rows_for([{}]) | button)
    assert answer.status_code == 422


def test_rows_have_an_end(manager):
    answer = manager.post(NEW, head() | rows_for([{}] * 50) | {"add_row": "0"})
    assert len(answer.context["editor"].stages[0].forms) == 50
    assert manager.post(NEW, head() | {"stage0-TOTAL_FORMS": "9999", "add_row": "0"}).status_code == 200
    assert manager.post(NEW, head()).status_code == 422


def test_an_htmx_form_gets_the_same_fragment_back(manager):
    headers = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "editor"}
    answer = manager.post(NEW, head() | rows_for([{}]) | {"add_row": "0"}, **headers)
    assert answer.content.decode().strip().startswith('<form class="stack-list" id="editor"')
    done = manager.post(NEW, head() | rows_for([seat(make_model())]), **headers)
    assert done["HX-Redirect"] == "/panels/sales/v1/"


def test_a_baseline_starts_from_its_model(manager):
    model = make_model(name="birch", max_output_tokens=512)
    assert f"/panels/new/?model={model.pk}" in manager.get(f"/models/{model.pk}/").content.decode()
    page = manager.get(NEW, {"model": model.pk}).content.decode()
    assert f'value="{full_name(model)}"' in page
    assert 'name="name" value="birch"' in page
    assert 'value="512"' in page
    assert manager.get(NEW, {"model": "nonsense"}).status_code == 200
    assert manager.get(NEW, {"model": "999"}).status_code == 200


def test_a_new_version_starts_from_the_latest_and_must_differ(manager):
    models = [make_model(), make_model()]
    spec = PanelSpec(
        strategy=StrategyName.WEIGHTED,
        stop_at=2 / 3,
        stages=(
            StageSpec(members=(MemberSpec(model_id=models[0].pk, weight=0.1, skill=0.7),)),
            StageSpec(
                members=(MemberSpec(model_id=models[1].pk, sampling=Sampling(max_tokens=99, top_p=0.5, seed=7)),),
                settles=True,
            ),
        ),
    )
    panel = create_panel(name="Sales", description="", spec=spec, by=None, now=NOW).panel
    address = "/panels/sales/new-version/"
    editor = manager.get(address).context["editor"]
    data = {name: editor.head[name].value() or "" for name in editor.head.fields}
    stages = [[{name: row[name].value() or "" for name in row.fields} for row in rows] for rows in editor.stages]
    same = manager.post(address, data | rows_for(*stages))
    assert same.status_code == 422
    assert "Version 1 of this panel already has exactly this content" in same.content.decode()
    answer = manager.post(address, data | {"stop_at": "1"} | rows_for(*stages), follow=True)
    assert answer.redirect_chain == [("/panels/sales/v2/", 302)]
    assert panel.versions.count() == 2


def test_a_panel_with_more_stages_than_the_form_shows_is_not_cut_short(manager):
    version = make_panel_version([[make_model()] for _ in range(4)])
    answer = manager.get(f"/panels/{version.panel.slug}/new-version/", follow=True)
    assert "more stages than the form shows" in answer.content.decode()


def test_the_form_takes_few_queries_with_a_large_inventory(manager, django_assert_max_num_queries):
    provider = make_provider()
    LanguageModel.objects.bulk_create(
        LanguageModel(provider=provider, name=f"model-{number}", created_at=NOW) for number in range(1_000)
    )
    with django_assert_max_num_queries(12):
        manager.get(NEW)


def test_a_viewer_reads_and_is_told_who_can_do_more(viewer):
    version = make_panel_version([[make_model()]])
    assert "Product managers can make panels" in viewer.get(LIST).content.decode()
    for address in (NEW, f"/panels/{version.panel.slug}/new-version/"):
        assert viewer.get(address).status_code == 403
        assert viewer.post(address, head() | rows_for([seat(make_model())])).status_code == 403
    assert PanelVersion.objects.count() == 1
