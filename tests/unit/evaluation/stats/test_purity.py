import subprocess
import sys
from importlib import import_module
from pathlib import Path

import evaluation.stats

MODULES = sorted(f"evaluation.stats.{path.stem}" for path in Path(evaluation.stats.__path__[0]).glob("[a-z]*.py"))


def test_importing_the_package_loads_nothing_slow():
    # scipy takes seconds, and a web page imports these modules at start.
    code = f"import sys, {', '.join(MODULES)}; print(*{{m.split('.')[0] for m in sys.modules}})"
    root = Path(evaluation.stats.__path__[0]).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "evaluation" in loaded
    assert not {"scipy", "numpy", "django", "celery", "plotly"} & loaded


def test_every_module_says_what_it_is_for():
    assert len(MODULES) >= 10
    assert all(import_module(name).__doc__ for name in MODULES)
