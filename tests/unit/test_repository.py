"""The repository against itself: what one file names, another has; nothing is kept that nobody uses; sizes hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.staticfiles import finders

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
STATIC = ROOT / "static"
APPS = ("evaluation", "fusion_site", "panels")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MOST_LINES = 400
# Django looks these up by itself: its error views and its login view.
FOUND_BY_NAME = {"400.html", "403.html", "404.html", "500.html", "registration/login.html"}
SAYS_NOTHING = {"common.py", "helper.py", "helpers.py", "misc.py", "util.py", "utils.py"}
# These lay out a machine of their own.
IMAGES = {"Dockerfile", "compose.yaml"}
HOME_OF_A_MACHINE = re.compile(r"(?<![\w.}/*-])/(?:home|root|tmp|Users|work|mnt)/\w")
REGISTRY = re.compile(
    r"\b(?:pypi\.(?:org|python)|pythonhosted|npmjs|docker\.io|ghcr\.io|quay\.io|crates\.io|artifactory|nexus[.-])",
    re.IGNORECASE,
)


@cache
def ignored() -> tuple[str, ...]:
    return tuple(line.strip("/") for line in (ROOT / ".gitignore").read_text().split())


def is_ours(path: Path) -> bool:
    """Whether ``path`` is kept under version control, by .gitignore: a machine that runs the tests may lack git."""
    parts = path.relative_to(ROOT).parts
    return parts[0] != ".git" and not any(fnmatch(part, pattern) for part in parts for pattern in ignored())


def walk(folder: Path, pattern: str = "*") -> list[Path]:
    return sorted(path for path in folder.rglob(pattern) if path.is_file() and is_ours(path))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def strings_of(path: Path) -> frozenset[str]:
    """Every text constant of a Python file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def modules() -> list[Path]:
    return [path for app in APPS for path in walk(ROOT / app, "*.py")]


def templates() -> dict[str, str]:
    return {str(path.relative_to(TEMPLATES)): path.read_text() for path in walk(TEMPLATES, "*.html")}


def texts() -> Iterator[tuple[Path, str]]:
    """Every file but pictures and recorded data."""
    for path in walk(ROOT):
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            assert path.suffix in {".png", ".gz", ".ico"}, f"{named(path)} is neither text nor a picture"


# Templates


def includes(text: str) -> set[str]:
    return set(re.findall(r"{%\s*(?:extends|include)\s+[\"']([^\"']+)[\"']", text))


def test_every_template_is_rendered_extended_or_included():
    found = templates()
    rendered = {string for path in modules() for string in strings_of(path)}
    included = {name for text in found.values() for name in includes(text)}
    assert set(found) - rendered - included - FOUND_BY_NAME == set()


def test_every_template_that_is_named_exists():
    found = set(templates())
    included = {name for text in templates().values() for name in includes(text)}
    wanted = {text for path in modules() for text in strings_of(path) if re.fullmatch(r"[\w/-]+\.html", text)}
    assert {name for name in included | wanted if not name.startswith(("admin/", "django/"))} - found == set()


def partials() -> list[tuple[str, str]]:
    return [
        (template, name)
        for template, text in templates().items()
        for name in re.findall(r"{%\s*(?:startpartial|partialdef)\s+([\w-]+)", text)
    ]


@pytest.mark.parametrize(("template", "name"), partials())
def test_a_partial_is_a_word_that_a_view_offers(template, name):
    assert re.fullmatch(r"[a-z]+", name)
    offering = [path for path in modules() if {template, name} <= strings_of(path)]
    assert offering, f"no module renders {template} and names its partial {name}"


@pytest.mark.parametrize(("template", "name"), partials())
def test_a_partial_is_an_element_and_a_target(template, name):
    found = templates()
    own = found[template]
    reached = [own, *(found[child] for child in includes(own) if child in found)]
    assert any(f'id="{name}"' in text for text in reached), f"{template} has no element {name}"
    pointing = re.compile(rf"hx-target=\"#{name}\"|\btarget=\"{name}\"")
    assert any(pointing.search(text) for text in found.values()), f"nothing swaps {name}"


# Static files


def static_names() -> set[str]:
    return {name for text in templates().values() for name in re.findall(r"{%\s*static\s+[\"']([^\"']+)[\"']", text)}


def test_every_static_file_that_is_named_exists():
    assert static_names()
    assert {name for name in static_names() if finders.find(name) is None} == set()


def test_every_static_file_is_named():
    kept = {str(path.relative_to(STATIC)) for path in walk(STATIC)}
    assert kept - static_names() == set()


# Shape of the code


def sized() -> list[Path]:
    code = [path for path in walk(ROOT, "*.py") if path.parent.name != "migrations"]
    return [*code, *walk(TEMPLATES, "*.html"), *walk(STATIC, "*.css"), *walk(STATIC, "*.js")]


def test_no_file_is_longer_than_one_can_keep_in_mind():
    lengths = {named(path): len(path.read_text().splitlines()) for path in sized()}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_a_module_is_named_for_what_it_knows():
    assert [named(path) for path in walk(ROOT, "*.py") if path.name in SAYS_NOTHING] == []


def test_migrations_are_named_by_hand():
    migrations = [path for app in APPS for path in walk(ROOT / app, "migrations/0*.py")]
    assert migrations
    assert [named(path) for path in migrations if not re.fullmatch(r"\d{4}_(?!auto_)[a-z][a-z0-9_]+", path.stem)] == []


def test_no_model_has_an_order_that_its_queries_do_not_show():
    ours = [model for model in apps.get_models() if model.__module__.partition(".")[0] in APPS]
    assert len(ours) >= 10
    assert [model.__name__ for model in ours if model._meta.ordering] == []


def test_nothing_is_printed_but_through_a_command_or_a_log():
    speakers = [
        named(path)
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert speakers == []


# What the files say


def test_no_file_knows_the_machine_or_the_registry_it_was_made_on():
    guilty = [
        f"{named(path)}:{number}: {line.strip()[:120]}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if path != Path(__file__)
        if REGISTRY.search(line) or (path.name not in IMAGES and HOME_OF_A_MACHINE.search(line))
    ]
    assert guilty == []


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_two_commands_of_the_readme_are_there():
    readme = (ROOT / "README.md").read_text()
    commands = re.search(r"## Two commands.*?```sh\n(.*?)```", readme, re.DOTALL)
    assert commands, "the README shows its two commands in a block of their own"
    lines = commands[1].strip().splitlines()
    assert [line.split()[:2] for line in lines] == [["make", "demo"], ["make", "test"]]


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_a_document_names_only_make_targets_that_exist(path):
    code = re.findall(r"`[^`]+`|```.*?```", path.read_text(), re.DOTALL)
    wanted = {target for piece in code for target in re.findall(r"\bmake ([a-z][a-z-]*)", piece)}
    assert wanted - targets() == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_a_document_names_only_files_that_exist(path):
    text = path.read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []
    tops = "|".join(re.escape(entry.name) for entry in ROOT.iterdir() if entry.is_dir() and is_ours(entry))
    paths = re.findall(rf"`((?:{tops})/[\w./-]*)`", text)
    assert [name for name in paths if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_a_document_names_only_settings_that_are_read(path):
    code = [*modules(), *walk(ROOT / "tests", "*.py"), ROOT / "Makefile", ROOT / "compose.yaml", *walk(ROOT / ".ci")]
    read = {name for file in code for name in re.findall(r"\bQUORUM_[A-Z_]+\b", file.read_text())}
    assert set(re.findall(r"\bQUORUM_[A-Z_]+\b", path.read_text())) - read == set()
