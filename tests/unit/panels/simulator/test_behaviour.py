from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from math import log, sqrt
from statistics import correlation, median, stdev

import pytest

from panels.simulator.answer_key import Fact, KeyItem
from panels.simulator.behaviour import Conduct, behave, find_options
from panels.simulator.chance import draw_uniforms
from panels.simulator.chat_request import ChatRequest
from panels.simulator.model import GENERAL, Fault, SimulatedModel

N = 2000
CHOICES = ("billing", "outage", "device", "account", "sales")


def model(name: str = "sim-x", *, skill: float = 0.7, **changes) -> SimulatedModel:
    values = {"price_in": Decimal(1), "price_out": Decimal(1), "unreadable_rate": 0.0, "verbosity": 0.0}
    return SimulatedModel(id=name, skill={GENERAL: skill}, **{**values, **changes})


def choice_item(number: int) -> KeyItem:
    wrong = ("device", "billing", "account", "sales")
    return KeyItem(id=str(number), topic="t", reference="outage", choices=CHOICES, wrong=wrong)


def act(of: SimulatedModel, item: KeyItem | None, *, number: int = 0, seed: int = 0, **changes) -> Conduct:
    request = ChatRequest(model=of.id, messages=(("user", f"Question {number}"),))
    return behave(model=of, request=replace(request, **changes), item=item, seed=seed)


def act_often(of: SimulatedModel, **changes) -> list[Conduct]:
    return [act(of, choice_item(number), number=number, **changes) for number in range(N)]


def five_sigma(rate: float, n: int = N) -> float:
    return 5 * sqrt(rate * (1 - rate) / n)


def test_uniforms_are_uniform_and_told_apart_by_every_part():
    draws = [draw_uniforms("a", number) for number in range(N)]
    for place in range(8):
        column = [draw[place] for draw in draws]
        assert sum(column) / N == pytest.approx(0.5, abs=5 * sqrt(1 / 12 / N))
        assert 0 <= min(column) <= max(column) < 1
    assert draw_uniforms("a", 1) != draw_uniforms("a1", "")


@pytest.mark.parametrize("skill", [0.1, 0.7, 0.95])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_planted_skill_is_recovered_whatever_errors_are_shared(skill, share):
    acts = act_often(model(skill=skill, shared_error_share=share))
    rate = sum(conduct.text == "outage" for conduct in acts) / N
    assert rate == pytest.approx(skill, abs=five_sigma(skill))
    assert [conduct.right for conduct in acts] == [conduct.text == "outage" for conduct in acts]


def test_errors_of_two_models_go_together_as_far_as_both_share_them():
    def phi(share: float) -> float:
        left, right = (act_often(model(name, shared_error_share=share)) for name in ("sim-a", "sim-b"))
        return correlation([float(bool(x.right)) for x in left], [float(bool(x.right)) for x in right])

    assert phi(0.0) == pytest.approx(0.0, abs=0.12)
    assert phi(0.7) == pytest.approx(0.49, abs=0.12)
    assert phi(1.0) == pytest.approx(1.0)


def test_the_shared_share_of_errors_takes_the_shared_wrong_answer():
    wrong = [conduct.text for conduct in act_often(model(skill=0.3, shared_error_share=0.4)) if not conduct.right]
    shared = wrong.count("device") / len(wrong)
    assert shared == pytest.approx(0.4, abs=five_sigma(0.4, len(wrong)))
    assert set(wrong) == {"device", "billing", "account", "sales"}


def test_the_same_request_is_answered_the_same_and_seeds_change_the_answers():
    of = model(skill=0.5)
    first = act_often(of)
    assert act_often(of) == first
    for changes in ({"seed": 1}, {"model": "sim-x", "max_tokens": 5}):
        assert (act_often(of, **changes) == first) is ("max_tokens" in changes)
    again = [act(of, choice_item(n), number=n, messages=(("user", f"Question {n}"),)) for n in range(N)]
    assert again == first


def test_the_seed_of_the_request_changes_what_is_the_models_own_alone():
    item = choice_item(1)
    own = {behave_with(model(skill=0.5, shared_error_share=0.0), item, seed).right for seed in range(30)}
    shared = {behave_with(model(skill=0.5, shared_error_share=1.0), item, seed).right for seed in range(30)}
    assert own == {True, False}
    assert len(shared) == 1


def behave_with(of: SimulatedModel, item: KeyItem, sampling_seed: int) -> Conduct:
    request = ChatRequest(model=of.id, messages=(("user", "Q"),), seed=sampling_seed)
    return behave(model=of, request=request, item=item, seed=0)


def test_unreadable_replies_come_at_their_rate_and_name_two_labels():
    acts = act_often(model(unreadable_rate=0.2))
    unreadable = [conduct for conduct in acts if conduct.text not in CHOICES]
    assert len(unreadable) / N == pytest.approx(0.2, abs=five_sigma(0.2))
    assert all(sum(choice in conduct.text for choice in CHOICES) == 2 for conduct in unreadable)
    assert not any(conduct.right for conduct in unreadable)


def test_a_short_answer_is_bare_or_a_sentence():
    item = KeyItem(id="1", topic="t", reference="3.4 kg", wrong=("2.9 kg",))
    assert act(model(skill=1.0), item).text == "3.4 kg"
    assert act(model(skill=1.0, verbosity=1.0), item).text == "It is 3.4 kg."
    assert act(model(skill=0.0), item).text == "2.9 kg"
    assert act(model(skill=1.0, verbosity=1.0), replace(item, reference="Yes, all.")).text == "Yes, all."
    assert act(model(skill=1.0, verbosity=1.0), replace(item, reference="Blue")).text == "Blue"
    assert act(model(skill=1.0, verbosity=1.0), replace(item, reference='{"kg": 3.4}')).text == '{"kg": 3.4}'
    assert act(model(skill=0.0), replace(item, wrong=())).text == "I do not know."


def summary_item(number: int) -> KeyItem:
    facts = tuple(Fact(sentence=f"Fact {n} is right.", wrong=f"Fact {n} is wrong.") for n in "ABC")
    return KeyItem(id=str(number), topic="t", reference="", facts=facts)


def test_each_fact_of_a_summary_is_right_wrong_or_left_out():
    acts = [act(model(skill=0.6), summary_item(number), number=number) for number in range(N)]
    texts = " ".join(conduct.text for conduct in acts)
    assert texts.count("right.") / (3 * N) == pytest.approx(0.6, abs=five_sigma(0.6, 3 * N))
    # Half of the other facts are wrong, and one more where nothing else would have been said.
    assert texts.count("wrong.") / (3 * N) == pytest.approx(0.2 + 0.2**3 / 3, abs=five_sigma(0.2, 3 * N))
    assert all(conduct.text for conduct in acts)
    assert all(conduct.right is (conduct.text.count("right.") == 3) for conduct in acts)


def test_latency_is_lognormal_around_its_median():
    latencies = [conduct.latency_s for conduct in act_often(model(latency_median_s=0.8, latency_spread=0.5))]
    assert median(latencies) == pytest.approx(0.8, rel=0.08)
    assert stdev(map(log, latencies)) == pytest.approx(0.5, rel=0.1)


def test_faults_come_at_their_rates():
    acts = act_often(model(faults={Fault.RATE_LIMITED: 0.1, Fault.HANG: 0.3}))
    for fault, rate in ((Fault.RATE_LIMITED, 0.1), (Fault.HANG, 0.3), (None, 0.6)):
        assert sum(conduct.fault is fault for conduct in acts) / N == pytest.approx(rate, abs=five_sigma(rate))


def test_trying_again_draws_the_fault_anew_and_keeps_the_answer():
    of = model(faults={Fault.SERVER_ERROR: 0.5})
    request = ChatRequest(model=of.id, messages=(("user", "Q"),))
    tries = [behave(model=of, request=request, item=choice_item(0), seed=0, attempt=n) for n in range(50)]
    assert {conduct.fault for conduct in tries} == {None, Fault.SERVER_ERROR}
    assert len({conduct.text for conduct in tries}) == 1


def test_a_model_that_recovers_answers_after_so_many_faults():
    of = model(faults={Fault.EMPTY: 1.0}, recovers_after=2)
    request = ChatRequest(model=of.id, messages=(("user", "Q"),))
    tries = [behave(model=of, request=request, item=None, seed=0, attempt=number).fault for number in range(4)]
    assert tries == [Fault.EMPTY, Fault.EMPTY, None, None]


def test_a_postscript_ends_every_answer():
    assert act(model(skill=1.0, postscript=" Obey me."), choice_item(1)).text == "outage Obey me."


@pytest.mark.parametrize(
    ("prompt", "options"),
    [
        ("Which?\nA. red\nB. green\nC. blue", ["A", "B", "C"]),
        ("Which?\n(A) red\n(B) green", ["A", "B"]),
        ("Reply with exactly one label: billing, outage or complaint.", ["billing", "outage", "complaint"]),
        ('Options: "yes" / "no"', ["yes", "no"]),
        ("Answer with one of the following: a, b, or c", ["a", "b", "c"]),
        ("Options: yes", []),
        ("B. only\nC. these", []),
        ("What is the capital of France?", []),
    ],
)
def test_options_that_a_prompt_lists_are_found(prompt, options):
    assert find_options(prompt) == options


def test_a_prompt_that_is_not_in_the_key_gets_one_of_its_options_or_says_what_it_is():
    listed = act(model(), None, messages=(("user", "Choices: red, green"),))
    assert (listed.text in {"red", "green"}, listed.right) == (True, None)
    assert "simulated answer" in act(model(), None).text
