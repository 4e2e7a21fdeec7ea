"""How a simulated model behaves towards one request. All chance is a hash, so the same request gets the same reply.

Errors go together by construction. Every example has one draw that all models share, its difficulty u. With
probability s (``shared_error_share``) a model is right where u < skill, else where a draw of its own is: right with
probability ``skill`` either way, while the errors of two models correlate with about s₁·s₂.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from statistics import NormalDist

from panels.simulator.analysis import analyse
from panels.simulator.answer_key import KeyItem
from panels.simulator.brief import Brief
from panels.simulator.chance import Draws, draw, draw_uniforms
from panels.simulator.chat_request import ChatRequest
from panels.simulator.model import Fault, SimulatedModel

_STANDARD_NORMAL = NormalDist()
_LEFT_OUT_SHARE = 0.5
_LETTERED = re.compile(r"^\s*\(?([A-Z])[.):]\s+\S", re.MULTILINE)
_LISTED = re.compile(r"\b(?:options?|choices?|labels?|one of)\b[^:\n]{0,40}:\s*([^\n.]+)", re.IGNORECASE)
_LIST_SEPARATOR = re.compile(r"\s*(?:,\s*or\b|,\s*and\b|[,;/|]|\bor\b|\band\b)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """What the model does. ``right`` is None where nothing says what would be right."""

    text: str
    latency_s: float
    fault: Fault | None = None
    right: bool | None = None


def behave(
    *,
    model: SimulatedModel,
    request: ChatRequest,
    item: KeyItem | None,
    seed: int,
    attempt: int = 0,
    brief: Brief | None = None,
) -> Conduct:
    """What the model does as a member or, given a brief, as an arbiter.

    ``attempt`` counts the faults this request met before, so that trying again may help.
    """
    identity = (seed, model.id, request.seed, request.messages)
    draws = draw(*identity)
    if brief is None:
        text, right = _answer(model, request, item, seed, draws)
        text += model.postscript
    else:
        text, right = analyse(model=model, brief=brief, item=item, seed=seed, request_seed=request.seed)
    return Conduct(
        text=text,
        right=right,
        latency_s=_latency(model, draws.latency),
        fault=_fault(model, draw_uniforms("attempt", attempt, *identity)[0] if attempt else draws.fault, attempt),
    )


def _latency(model: SimulatedModel, uniform: float) -> float:
    # A uniform of 0 has no quantile.
    return model.latency_median_s * exp(model.latency_spread * _STANDARD_NORMAL.inv_cdf(max(uniform, 1e-9)))


def _fault(model: SimulatedModel, uniform: float, attempt: int) -> Fault | None:
    if model.recovers_after is not None and attempt >= model.recovers_after:
        return None
    for fault, rate in model.faults.items():
        if uniform < rate:
            return fault
        uniform -= rate
    return None


def _answer(
    model: SimulatedModel, request: ChatRequest, item: KeyItem | None, seed: int, draws: Draws
) -> tuple[str, bool | None]:
    if item is None:
        return _answer_unknown(model, request, draws), None
    if item.facts:
        return _summarise(model, request, item, seed, draws)
    return _answer_known(model, item, seed, draws)


def _is_right(model: SimulatedModel, topic: str, *, shared: float, draws: Draws) -> tuple[bool, bool]:
    """Whether it is right, and whether that was the shared draw's doing."""
    follows = draws.follows_shared < model.shared_error_share
    difficulty = shared if follows else draws.private_difficulty
    return difficulty < model.skill_in(topic), follows


def _answer_known(model: SimulatedModel, item: KeyItem, seed: int, draws: Draws) -> tuple[str, bool]:
    shared = draw_uniforms(seed, item.topic, item.id)[0]
    right, follows = _is_right(model, item.topic, shared=shared, draws=draws)
    answer = item.reference if right else _wrong_answer(item, follows=follows, uniform=draws.which_wrong)
    if item.choices:
        if draws.unreadable < model.unreadable_rate:
            return _unreadable(item, answer), False
        return answer, right
    return (_as_sentence(answer) if draws.verbosity < model.verbosity else answer), right


def _wrong_answer(item: KeyItem, *, follows: bool, uniform: float) -> str:
    if not item.wrong:
        return "I do not know."
    own = item.wrong[1:]
    return item.wrong[0] if follows or not own else _pick(own, uniform)


def _unreadable(item: KeyItem, answer: str) -> str:
    other = next((choice for choice in item.choices if choice != answer), answer)
    return f"This could be {answer} or {other}; more would have to be known to decide."


def _as_sentence(answer: str) -> str:
    # Around a single word the sentence would outweigh the answer, and token overlap would count it wrong.
    return answer if " " not in answer or answer.endswith((".", "!", "?", "}")) else f"It is {answer}."


def _pick(options: Sequence[str], uniform: float) -> str:
    return options[int(uniform * len(options))]


def _summarise(model: SimulatedModel, request: ChatRequest, item: KeyItem, seed: int, draws: Draws) -> tuple[str, bool]:
    """Each fact is right, wrong or left out by draws of its own. Right as a whole where every fact is."""
    sentences = []
    all_right = True
    for number, fact in enumerate(item.facts):
        shared = draw_uniforms(seed, item.topic, item.id, number)[0]
        own = draw(number, seed, model.id, request.seed, request.messages)
        right, _ = _is_right(model, item.topic, shared=shared, draws=own)
        all_right = all_right and right
        if right:
            sentences.append(fact.sentence)
        elif own.which_wrong >= _LEFT_OUT_SHARE:
            sentences.append(fact.wrong)
    # A summary says something: where every fact would be left out, one is wrong instead.
    return " ".join(sentences) or _pick([fact.wrong for fact in item.facts], draws.pick), all_right


def _answer_unknown(model: SimulatedModel, request: ChatRequest, draws: Draws) -> str:
    options = find_options("\n".join(text for _, text in request.messages))
    if options:
        return _pick(options, draws.pick)
    return f"This is a simulated answer of {model.id} to a prompt it does not know."


def find_options(prompt: str) -> list[str]:
    """The options a prompt lists, as letters in front of lines or as a list behind a colon; empty if it lists none."""
    letters = _LETTERED.findall(prompt)
    if len(letters) > 1 and letters[0] == "A":
        return list(dict.fromkeys(letters))
    listed = _LISTED.search(prompt)
    options = [option.strip(" \"'") for option in _LIST_SEPARATOR.split(listed[1])] if listed else []
    options = [option for option in options if option]
    return options if len(options) > 1 else []
