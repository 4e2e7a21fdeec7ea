"""An arbiter that reads what it is sent as a model would: candidates by letter, and no more than their words."""

from __future__ import annotations

import json
import re

from panels.fusion.types import ModelRequest, Reply, Usage

_CANDIDATE = re.compile(
    r"^<<<CANDIDATE (\w+) ([0-9a-f]{16})>>>\n(.*?)\n<<<END CANDIDATE \1 \2>>>$", re.DOTALL | re.MULTILINE
)


def is_arbiter(request: ModelRequest) -> bool:
    return request.messages[0].content.startswith("Task: ")


def candidates(request: ModelRequest) -> dict[str, str]:
    """The candidates' words by letter."""
    return {letter: text for letter, _, text in _CANDIDATE.findall(request.messages[1].content)}


def verdict(request: ModelRequest, *, supported: str) -> Reply:
    """Claims what each candidate says; what equals ``supported`` is supported, all else contradicted."""
    shown = candidates(request)
    claims = [
        {
            "claim": f"The answer is {said}.",
            "finding": "supported" if said == supported else "contradicted",
            "quote": "",
            "candidates": [
                {"candidate": letter, "stance": "supports" if own == said else "contradicts", "quote": own}
                for letter, own in shown.items()
            ],
        }
        for said in sorted(set(shown.values()))
    ]
    return arbiter_reply(json.dumps({"claims": claims}))


def synthesis(answer: str, **lists: object) -> Reply:
    names = ("consensus", "contradictions", "partial_coverage", "unique_insights", "blind_spots")
    return arbiter_reply(json.dumps({"analysis": {name: lists.get(name, []) for name in names}, "answer": answer}))


def arbiter_reply(text: str) -> Reply:
    """100 tokens in, 20 out: at the prices of the factories, 140,000 nano-dollars."""
    return Reply(text=text, usage=Usage(prompt_tokens=100, completion_tokens=20), latency_s=0.5)
