"""Static files that come out of installed packages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

PREFIX = "vendor"
FILE = "plotly.min.js"


class PlotlyFinder(BaseFinder):
    """Serves the one script out of the plotly wheel as ``vendor/plotly.min.js``, and nothing else of the package."""

    def __init__(self, app_names: Any = None, *args: Any, **kwargs: Any) -> None:
        self.storage = FileSystemStorage(location=_plotly_folder())
        self.storage.prefix = PREFIX  # type: ignore[attr-defined] # collectstatic and servestatic both read it
        self.storages = {PREFIX: self.storage}
        super().__init__(*args, **kwargs)

    def find(self, path: str, find_all: bool = False, **_: Any) -> Any:
        found = [self.storage.path(FILE)] if path == f"{PREFIX}/{FILE}" else []
        return found if find_all else (found[0] if found else [])

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, FileSystemStorage]]:
        yield FILE, self.storage


def _plotly_folder() -> Path:
    """Without importing plotly, which is slow."""
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("plotly is not installed: run make install")
    return Path(spec.origin).parent / "package_data"
