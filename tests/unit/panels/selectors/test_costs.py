from dataclasses import replace

import pytest

from panels.fusion.types import ArbiterWhen, Sampling, StrategyName
from panels.models import LanguageModel
from panels.selectors.costs import Tokens, decides_as_majority, request_cost
from panels.specs import ArbiterSpec, MemberSpec, PanelSpec, StageSpec

DOLLAR = 1_000_000_000
MODELS = {
    1: LanguageModel(name="a", price_in_nanousd_per_mtok=DOLLAR, price_out_nanousd_per_mtok=2 * DOLLAR),
    2: LanguageModel(name="b", price_in_nanousd_per_mtok=3 * DOLLAR, price_out_nanousd_per_mtok=0),
    9: LanguageModel(name="unpriced"),
}


def spec(*stages, strategy=StrategyName.MAJORITY, stop_at=None, settles=False):
    last = len(stages) - 1
    return PanelSpec(
        strategy=strategy,
        stop_at=stop_at,
        stages=tuple(
            StageSpec(members=tuple(seats), settles=settles and number == last) for number, seats in enumerate(stages)
        ),
    )


def seat(model, **fields):
    return MemberSpec(model_id=model, **fields)


def test_a_stop_rule_makes_a_range_from_the_first_stage_to_all():
    cost = request_cost(spec([seat(1)], [seat(2)], stop_at=1.0), models=MODELS, tokens=Tokens(sent=500, received=250))
    assert (cost.least_calls, cost.most_calls) == (1, 2)
    # 1,000 requests: 0.5 M tokens at $1 + 0.25 M at $2, then 0.5 M at $3.
    assert (cost.least_nanousd, cost.most_nanousd) == (DOLLAR, 5 * DOLLAR // 2)
    assert cost.is_range


def test_an_arbiter_reads_every_reply_and_counts_at_least_where_it_is_always_asked():
    judge = ArbiterSpec(model_id=2, prompt="synthesis-1")
    disputed = replace(spec([seat(1)], [seat(1)], strategy=StrategyName.SYNTHESIS, stop_at=1.0), arbiter=judge)
    always = replace(disputed, arbiter=replace(judge, when=ArbiterWhen.ALWAYS))
    tokens = Tokens(sent=500, received=250)
    some, each = (request_cost(one, models=MODELS, tokens=tokens) for one in (disputed, always))
    # A member costs a dollar; the arbiter reads 0.5 M and 0.25 M of each member at $3.
    assert (some.least_calls, some.most_calls, some.least_nanousd, some.most_nanousd) == (1, 3, DOLLAR, 5 * DOLLAR)
    assert (each.least_calls, each.most_calls, each.least_nanousd) == (2, 3, DOLLAR + 9 * DOLLAR // 4)
    automatic = replace(always, strategy=StrategyName.AUTO)
    assert request_cost(automatic, models=MODELS, tokens=tokens).least_calls == 1


def test_without_a_stop_rule_every_stage_is_called():
    cost = request_cost(spec([seat(1)], [seat(2)]), models=MODELS, tokens=Tokens())
    assert (cost.least_calls, cost.least_nanousd) == (cost.most_calls, cost.most_nanousd)


def test_a_member_never_receives_more_than_its_longest_output():
    short = seat(1, sampling=Sampling(max_tokens=10))
    cost = request_cost(spec([short]), models=MODELS, tokens=Tokens(sent=0, received=1_000))
    assert cost.most_nanousd == 1_000 * 10 * 2 * DOLLAR // 1_000_000


def test_an_unknown_price_makes_the_cost_unknown_only_where_it_is_called():
    cost = request_cost(spec([seat(1)], [seat(9), seat(9)], stop_at=1.0), models=MODELS, tokens=Tokens())
    assert cost.least_nanousd is not None
    assert cost.most_nanousd is None
    assert cost.unpriced == ("unpriced",)


@pytest.mark.parametrize(
    ("weights", "same"),
    [((1, 1, 1), True), ((0.3, 0.4, 0.5), True), ((1, 1, 2), False), ((0, 1, 1), False), ((0, 0, 0), False)],
)
def test_three_weights_decide_as_majority_where_no_member_outweighs_the_others(weights, same):
    seats = [seat(1, weight=weight) for weight in weights]
    assert decides_as_majority(spec(seats, strategy=StrategyName.WEIGHTED)) is same


def test_the_note_is_for_three_weighted_ballots_alone():
    three = [seat(1)] * 3
    assert not decides_as_majority(spec(three))
    assert not decides_as_majority(spec([*three, seat(1)], strategy=StrategyName.WEIGHTED))
    assert decides_as_majority(spec([seat(1)] * 2, [seat(1)], strategy=StrategyName.WEIGHTED))
    assert not decides_as_majority(spec([seat(1)] * 2, [seat(1)], strategy=StrategyName.WEIGHTED, settles=True))


def test_skills_are_weighed_for_few_and_for_many_choices():
    def skilled(*skills):
        return spec([seat(1, skill=skill) for skill in skills], strategy=StrategyName.WEIGHTED)

    assert decides_as_majority(skilled(0.8, 0.8, 0.8))
    # With two choices the third weighs ln(0.55 / 0.45), next to nothing against ln(0.95 / 0.05).
    assert not decides_as_majority(skilled(0.95, 0.6, 0.55))
