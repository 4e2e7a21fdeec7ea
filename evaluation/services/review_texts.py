"""What a reviewer reads, frozen: question, evidence, reference, both answers; and names that would give them away."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evaluation.models import Answer, Call, Example, ReviewItem
from panels.models import LanguageModel, Panel, Provider

_TOKENS = re.compile(r"[^\W_]+")
# Too common in plain text to give anything away.
_SHORTEST_NAME = 3
_CUT_OFF = frozenset({"length", "max_tokens"})
_REFUSED = frozenset({"content_filter", "refusal"})
_REFUSED_CALL = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenAnswer:
    """``state`` is one of ``ReviewItem.State``."""

    text: str
    state: str


def frozen_answers(answers: Sequence[Answer]) -> dict[int, FrozenAnswer]:
    """By answer id, from the calls that brought them. One query per 500 answers."""
    found: dict[int, FrozenAnswer] = {}
    for start in range(0, len(answers), 500):
        some = answers[start : start + 500]
        calls = _calls_of(some)
        found |= {answer.pk: _frozen(answer, calls.get(answer.pk, [])) for answer in some}
    return found


def _calls_of(answers: Sequence[Answer]) -> dict[int, list[Call]]:
    calls = Call.objects.filter(answer__in=[answer.pk for answer in answers])
    by_answer: dict[int, list[Call]] = {}
    for call in calls.select_related("reused_from", "recorded_output").order_by("seat", "attempt"):
        by_answer.setdefault(call.answer_id, []).append(call)
    return by_answer


def _frozen(answer: Answer, calls: Sequence[Call]) -> FrozenAnswer:
    voice = _voice(answer, calls)
    text = answer.text or ("" if voice is None else call_text(voice)) or answer.value or ""
    return FrozenAnswer(text=text, state=_state(answer, voice, calls, text))


def _voice(answer: Answer, calls: Sequence[Call]) -> Call | None:
    """The call whose words the answer is: of the winning seat, or the arbiter's where it wrote the text."""
    if answer.text:
        spoke = [call for call in calls if call.role == Call.Role.ARBITER]
    else:
        spoke = [call for call in calls if call.seat == answer.winner_seat and call.role == Call.Role.MEMBER]
    return spoke[-1] if spoke else None


def call_text(call: Call) -> str:
    """A reply's text stands once: with the call that bought it, or with the imported output."""
    if call.recorded_output is not None:
        return call.recorded_output.text
    return call.reused_from.text if call.reused_from is not None else call.text


def _state(answer: Answer, voice: Call | None, calls: Sequence[Call], text: str) -> str:
    state = ReviewItem.State
    reason = "" if voice is None else _finish_reason(voice)
    if reason in _REFUSED or (voice is None and _all_refused(calls)):
        return state.REFUSAL.value
    if answer.outcome != Answer.Outcome.ANSWERED or not text.strip():
        return state.EMPTY.value
    return state.TRUNCATED.value if reason in _CUT_OFF else state.ANSWERED.value


def _finish_reason(call: Call) -> str:
    return (call.finish_reason or (call.reused_from.finish_reason if call.reused_from else "")).lower()


def _all_refused(calls: Sequence[Call]) -> bool:
    last = {call.seat: call for call in calls if call.role == Call.Role.MEMBER}
    return bool(last) and all(
        call.outcome == _REFUSED_CALL or _finish_reason(call) in _REFUSED for call in last.values()
    )


def question_of(example: Example, *, shows_evidence: bool = False) -> str:
    """What the user asked; of a conversation every turn but the instructions, each with its speaker.

    Evidence that stands in a question of one turn is left out of it where the page shows it by itself.
    """
    turns = [message for message in example.messages if message.role != "system"]
    if len(turns) <= 1:
        asked = turns[0].content if turns else example.title
        return (shows_evidence and _without(asked, example.context)) or asked
    return "\n\n".join(f"{message.role.capitalize()}: {message.content}" for message in turns)


def _without(text: str, part: str) -> str:
    """Blank where nothing else would be left."""
    return text.replace(part, "").strip() if part.strip() else text


def reference_of(example: Example) -> str:
    if example.reference:
        return example.reference
    return "\n".join(str(reference) for reference in example.references)


def inventory_names() -> tuple[str, ...]:
    """Names that would tell a reviewer what they look at: of models, their providers, and panels. Three queries."""
    found: set[str] = set(LanguageModel.objects.values_list("name", flat=True))
    for name, slug in [*Provider.objects.values_list("name", "slug"), *Panel.objects.values_list("name", "slug")]:
        found |= {name, slug}
    # A router's model id leads with the maker: the rest is what people know it by.
    found |= {name.rpartition("/")[2] for name in found}
    return tuple(sorted(name for name in found if len(name) >= _SHORTEST_NAME))


class NameFinder:
    """Finds names in texts token by token, whatever the case: ``gpt-4o`` in “GPT 4o”, not ``fair`` in “affair”."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_head: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for name in names:
            tokens = _tokens(name)
            if tokens:
                self._by_head.setdefault(tokens[0], []).append((tokens, name))

    def names_in(self, *texts: str) -> list[str]:
        """Those that stand in any of the texts, sorted."""
        found = {name for text in texts for name in self._names_in(_tokens(text))}
        return sorted(found)

    def _names_in(self, tokens: tuple[str, ...]) -> Iterable[str]:
        for place, token in enumerate(tokens):
            for wanted, name in self._by_head.get(token, ()):
                if tokens[place : place + len(wanted)] == wanted:
                    yield name


def _tokens(text: str) -> tuple[str, ...]:
    return tuple(token.casefold() for token in _TOKENS.findall(text))
