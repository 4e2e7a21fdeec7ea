from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from panels.models import LanguageModel, Provider
from panels.policies import WrongState
from panels.services.models import (
    InvalidModel,
    ModelFacts,
    bring_back_model,
    change_model,
    create_model,
    retire_model,
)
from tests.factories import NOW, make_model, make_panel_version, make_provider

pytestmark = pytest.mark.django_db


def facts_for(provider, **fields: Any):
    known: dict[str, Any] = {"name": "gpt-4o", "price_in": Decimal("2.5"), "price_out": Decimal(10)}
    return ModelFacts(provider=provider, **(known | fields))


def test_prices_in_dollars_become_nano_dollars_to_the_last_digit():
    facts = facts_for(make_provider(), price_in=Decimal("0.000000001"), price_out=Decimal("0.6"))
    model = create_model(facts=facts, by=None, now=NOW)
    assert model.price_in_nanousd_per_mtok == 1
    assert model.price_out_nanousd_per_mtok == 600_000_000


def test_an_unknown_price_stays_unknown():
    model = create_model(facts=facts_for(make_provider(), price_in=None, price_out=None), by=None, now=NOW)
    assert not LanguageModel.objects.get(pk=model.pk).has_price


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"price_in": Decimal(-1)}, "price_in"),
        ({"price_out": Decimal("NaN")}, "price_out"),
        ({"price_out": Decimal("Infinity")}, "price_out"),
        ({"price_in": Decimal(100_001)}, "price_in"),
        ({"price_in": None}, "price_in"),
        ({"price_out": None}, "price_out"),
        ({"name": " "}, "name"),
        ({"context_tokens": 0}, "context_tokens"),
        ({"context_tokens": 10, "max_output_tokens": 11}, "max_output_tokens"),
    ],
)
def test_wrong_facts_are_refused_and_nothing_is_saved(fields, wrong):
    with pytest.raises(InvalidModel) as caught:
        create_model(facts=facts_for(make_provider(), **fields), by=None, now=NOW)
    assert [field for field, _ in caught.value.problems] == [wrong]
    assert not LanguageModel.objects.exists()


def test_a_provider_has_each_id_once():
    model = make_model()
    with pytest.raises(InvalidModel):
        create_model(facts=facts_for(model.provider, name=model.name), by=None, now=NOW)
    change_model(model=model, facts=facts_for(model.provider, name=model.name), by=None, now=NOW)


def test_a_recorded_provider_gets_its_models_from_imports_alone():
    provider = make_provider(kind=Provider.Kind.RECORDED)
    with pytest.raises(InvalidModel):
        create_model(facts=facts_for(provider), by=None, now=NOW)
    model = make_model(provider=provider)
    for attempt in (
        lambda: change_model(model=model, facts=facts_for(provider), by=None, now=NOW),
        lambda: retire_model(model=model, by=None, now=NOW),
        lambda: bring_back_model(model=model, by=None, now=NOW),
    ):
        with pytest.raises(WrongState):
            attempt()


def test_a_seated_model_keeps_its_provider_and_id_and_may_change_its_price():
    model = make_model()
    make_panel_version([[model]])
    facts = facts_for(model.provider, name=model.name)
    change_model(model=model, facts=facts, by=None, now=NOW)
    assert model.price_in_nanousd_per_mtok == 2_500_000_000
    for other in (replace(facts, name="other"), replace(facts, provider=make_provider())):
        with pytest.raises(InvalidModel):
            change_model(model=LanguageModel.objects.get(pk=model.pk), facts=other, by=None, now=NOW)


def test_a_retired_model_can_be_brought_back():
    model = make_model()
    retire_model(model=model, by=None, now=NOW)
    with pytest.raises(WrongState):
        retire_model(model=model, by=None, now=NOW)
    assert LanguageModel.objects.get(pk=model.pk).retired_at == NOW
    bring_back_model(model=model, by=None, now=NOW)
    assert LanguageModel.objects.get(pk=model.pk).retired_at is None
    with pytest.raises(WrongState):
        bring_back_model(model=model, by=None, now=NOW)


def test_a_new_price_is_a_row_of_its_own_and_the_past_stays():
    provider = make_provider()
    model = create_model(facts=facts_for(provider), by=None, now=NOW)
    cheaper = facts_for(provider, price_in=Decimal(1), price_source="a letter")
    for facts in (cheaper, cheaper, facts_for(provider, price_in=None, price_out=None)):
        change_model(model=model, facts=facts, by=None, now=NOW + timedelta(days=1))
    told = model.prices.order_by("pk").values_list("in_nanousd_per_mtok", "source", "valid_from")
    assert list(told) == [
        (2_500_000_000, "", NOW),
        (1_000_000_000, "a letter", NOW + timedelta(days=1)),
        (None, "", NOW + timedelta(days=1)),
    ]


def test_a_model_without_a_price_has_no_history():
    model = create_model(facts=facts_for(make_provider(), price_in=None, price_out=None), by=None, now=NOW)
    assert not model.prices.exists()


def test_a_model_that_is_brought_back_has_to_be_let_in_anew():
    model = make_model(retired_at=NOW)
    bring_back_model(model=model, by=None, now=NOW)
    assert LanguageModel.objects.get().status == "proposed"
