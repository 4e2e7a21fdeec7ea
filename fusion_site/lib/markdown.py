"""What a model wrote, as HTML that can neither load, lead nor run anything.

Markdown is parsed without HTML, so that tags in the text show as text; the result goes through an allow-list once more.
No links and no images: a page that a stranger's text could make fetch something is not ours any more.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

ALLOWED_TAGS = {
    "p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "h4", "h5", "h6",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
_HEADINGS = {"h1": "h4", "h2": "h5", "h3": "h6", "h4": "h6", "h5": "h6"}
_SENTENCE_END = re.compile(r"""[.!?…]["'”’)\]]*\s+(?=[^a-z\s])""")
_STOPS = (".", "!", "?", "…", ":")
_NO_WORDS = re.compile(r"[\W_]+")

_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable(["image", "link"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Prose:
    """``html`` with every sentence in ``<span data-c="1">``, counted from 1; ``sentences`` are their texts in order."""

    html: SafeString
    sentences: tuple[str, ...]


def render_markdown(text: str) -> SafeString:
    """Headings stay below those of the page."""
    return _rendered(_parsed(text), attributes={})


def render_pair(first: str, second: str) -> tuple[Prose, Prose]:
    """Two texts with their sentences marked; ``data-both`` is on those that the other says in the same words."""
    sides = [_parsed(first), _parsed(second)]
    said = [[_text_of(sentence) for sentence in _all_sentences(tokens)] for tokens in sides]
    both = {_normal(text) for text in said[0]} & {_normal(text) for text in said[1]}
    one, other = (
        Prose(html=_marked(tokens, both), sentences=tuple(texts)) for tokens, texts in zip(sides, said, strict=True)
    )
    return one, other


def _parsed(text: str) -> list[Token]:
    tokens = _markdown.parse(text)
    for token in tokens:
        token.tag = _HEADINGS.get(token.tag, token.tag)
    return tokens


def _rendered(tokens: Sequence[Token], attributes: dict[str, set[str]]) -> SafeString:
    html = _markdown.renderer.render(tokens, _markdown.options, {})
    tags = ALLOWED_TAGS | set(attributes)
    return mark_safe(nh3.clean(html, tags=tags, attributes=attributes, link_rel=None))


def _all_sentences(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    for token in tokens:
        if token.type == "inline":
            yield from filter(_has_words, _sentences(token.children or []))


def _marked(tokens: Sequence[Token], both: Collection[str]) -> SafeString:
    number = 0
    for token in tokens:
        if token.type != "inline":
            continue
        wrapped: list[Token] = []
        for sentence in _sentences(token.children or []):
            number += _has_words(sentence)
            wrapped += _wrapped(sentence, number, both) if _has_words(sentence) else sentence
        token.children = wrapped
    return _rendered(tokens, attributes={"span": {"data-c", "data-both"}})


def _wrapped(sentence: list[Token], number: int, both: Collection[str]) -> list[Token]:
    again = ' data-both=""' if _normal(_text_of(sentence)) in both else ""
    start = Token("html_inline", "", 0, content=f'<span data-c="{number}"{again}>')
    return [start, *sentence, Token("html_inline", "", 0, content="</span>")]


def _sentences(children: Sequence[Token]) -> Iterator[list[Token]]:
    """Cuts between sentences; never within emphasis, where half of a pair of tags would be left on either side."""
    sentence: list[Token] = []
    depth = 0
    for child in _pieces(children):
        depth += child.nesting
        if child.type in {"softbreak", "hardbreak"} and depth == 0 and _text_of(sentence).rstrip().endswith(_STOPS):
            yield sentence
            yield [child]
            sentence = []
            continue
        sentence.append(child)
        if depth == 0 and child.type == "text" and child.meta.get("ends"):
            yield sentence
            sentence = []
    if sentence:
        yield sentence


def _pieces(children: Sequence[Token]) -> Iterator[Token]:
    """The same tokens, with each text cut behind every sentence that ends in it."""
    for child in children:
        if child.type != "text":
            yield child
            continue
        start = 0
        for end in _SENTENCE_END.finditer(child.content):
            yield Token("text", "", 0, content=child.content[start : end.end()], meta={"ends": True})
            start = end.end()
        if rest := child.content[start:]:
            yield Token("text", "", 0, content=rest)


def _text_of(sentence: Sequence[Token]) -> str:
    words = (token.content if token.type in {"text", "code_inline"} else " " for token in sentence if not token.nesting)
    return "".join(words).strip()


def _has_words(sentence: Sequence[Token]) -> bool:
    return bool(_normal(_text_of(sentence)))


def _normal(text: str) -> str:
    return _NO_WORDS.sub(" ", text).strip().casefold()
