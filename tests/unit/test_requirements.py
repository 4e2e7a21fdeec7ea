"""What is imported is what is asked for: nothing arrives by way of another package, nothing is kept unused."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
OURS = {"evaluation", "fusion_site", "manage", "panels", "tests"}
SERVICE = [ROOT / name for name in ("evaluation", "fusion_site", "panels")]
# Named in settings, in a URL or on a command line instead of imported.
BY_NAME = {
    "django-axes",
    "django-htmx",
    "django-template-partials",
    "plotly",
    "psycopg",
    "servestatic",
    "uvicorn",
}


def asked_for(name: str) -> set[str]:
    lines = (ROOT / name).read_text().splitlines()
    return {normalised(match[0]) for line in lines if (match := re.match(r"[A-Za-z][\w.-]*", line))}


def pinned() -> dict[str, set[str]]:
    """Extras by distribution."""
    text = "\n".join((ROOT / name).read_text() for name in ("requirements.txt", "requirements-dev.txt"))
    pins: dict[str, set[str]] = {}
    for name, extras in re.findall(r"^([a-z][\w.-]*)(?:\[([\w,]+)\])?==", text, re.MULTILINE):
        pins.setdefault(normalised(name), set()).update(filter(None, extras.split(",")))
    return pins


def extras_asked_for_by(distribution: str) -> Iterator[tuple[str, str]]:
    for line in requires(distribution) or []:
        needed = Requirement(line)
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            yield from ((normalised(needed.name), extra) for extra in needed.extras)


def normalised(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def imported_by(folders: list[Path]) -> set[str]:
    """Distributions whose modules are imported anywhere under ``folders``."""
    owners = packages_distributions()
    return {
        normalised(owner)
        for folder in folders
        for path in folder.rglob("*.py")
        for module in modules_of(path)
        for owner in owners.get(module, [f"{module} of {path.relative_to(ROOT)}"])
    }


def modules_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        for name in names:
            top = name.partition(".")[0]
            if top not in OURS and top not in sys.stdlib_module_names:
                yield top


def test_the_service_imports_what_it_asks_for_alone():
    # kombu and asgiref are the public faces of Celery and Django, and change with them; redis is Celery's extra.
    assert imported_by(SERVICE) - asked_for("requirements.in") <= {"kombu", "asgiref", "redis"}


def test_the_service_asks_for_nothing_it_does_not_import():
    assert asked_for("requirements.in") - imported_by(SERVICE) - BY_NAME == set()


def test_the_tests_import_what_is_asked_for_alone():
    known = (
        asked_for("requirements.in") | asked_for("requirements-dev.in") | {"kombu", "asgiref", "redis", "playwright"}
    )

    assert imported_by([ROOT / "tests"]) - known == set()


def test_what_is_pinned_carries_hashes_and_no_address():
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        pins = re.findall(r"^[a-z][\w.\[\],-]*==", text, re.MULTILINE)

        assert len(pins) >= 20
        assert text.count("--hash=sha256:") >= len(pins)
        assert "://" not in text


def test_an_extra_that_another_package_asks_for_is_pinned_with_its_package():
    # Else pip takes the newest release for the one with the extra, and stops because that has no hash.
    pins = pinned()
    asked = {(name, extra) for pin in pins for name, extra in extras_asked_for_by(pin)}

    assert ("coverage", "toml") in asked
    assert {(name, extra) for name, extra in asked if extra not in pins[name]} == set()
