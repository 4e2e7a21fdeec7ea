"""``make demo``: the sample pilot with everything it needs, in one process that ends them all.

Starts the simulated providers, the web server, the Celery worker and its beat. Run again, it keeps what was there.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import urllib.error
import urllib.request

from fusion_site.lib.env import BASE_DIR, Env, InvalidEnvironment, load_env
from fusion_site.processes import ChildDied, Family, NotReady, Stopped, open_family, stop_with_parent

HOST = "127.0.0.1"
READY_S = 60.0
QUIET_AS_ROOT = "ignore:You're running the worker with superuser"  # in a container everyone is
ANSWER_KEYS = BASE_DIR / "evaluation" / "sample"


class PortTaken(Exception):
    """Another process listens on a port that is needed."""


def main() -> int:
    """Exit code 0 after Ctrl-C or SIGTERM, 1 after a failure, 2 if it cannot start."""
    try:
        env = load_env()
        require_free_port(env.quorum_port, variable="QUORUM_PORT")
        require_free_port(env.quorum_simulator_port, variable="QUORUM_SIMULATOR_PORT")
    except (InvalidEnvironment, PortTaken) as error:
        return fail(f"Quorum cannot start. {error}", code=2)
    os.environ.setdefault("QUORUM_LOG_LEVEL", "WARNING")
    os.environ["QUORUM_DATA_DIR"] = str(env.quorum_data_dir)
    os.chdir(BASE_DIR)
    if "MAKELEVEL" in os.environ:  # a make that was killed could not tell us
        stop_with_parent()
    with open_family() as family:
        return supervise(family, env)


def supervise(family: Family, env: Env) -> int:
    try:
        logins = prepare(family, env)
        start_service(family, env)
        say(f"\nQuorum is ready at {address_of(env)}\n{logins}\nPress Ctrl-C to stop.\n")
        family.watch()
    except Stopped:
        say("\nStopping.\n")
        return 0
    except (ChildDied, NotReady) as error:
        return fail(f"Quorum stops: {error}.", code=1)
    return 0


def prepare(family: Family, env: Env) -> str:
    """Database, simulated providers and sample pilot. Returns what the pilot's command printed: the sample logins."""
    say("Preparing the database.\n")
    # The worker finishes the calls that it has under way before it ends.
    family.start("the simulated providers", simulator_command(env), needed=True)
    family.run("migrate", manage("migrate", "--verbosity=0"))
    wait_for(family, f"http://{HOST}:{env.quorum_simulator_port}/v1/models", what="the simulated providers")
    say("Loading the sample pilot.\n")
    with tempfile.TemporaryFile() as printed:
        family.run("load_sample_pilot", manage("load_sample_pilot"), stdout=printed)
        printed.seek(0)
        return printed.read().decode()


def start_service(family: Family, env: Env) -> None:
    family.start("the worker", celery_command("worker", "--without-mingle", "--without-gossip"))
    family.start("the beat", celery_command("beat", "--pidfile="))
    family.start("the web server", web_command(env))
    wait_for(family, f"{address_of(env)}login/", what="the login page")


def celery_command(*arguments: str) -> list[str]:
    celery = [sys.executable, "-W", QUIET_AS_ROOT, "-m", "celery", "--quiet", "--app=fusion_site"]
    return [*celery, *arguments, "--loglevel=WARNING"]


def web_command(env: Env) -> list[str]:
    options = [f"--host={HOST}", f"--port={env.quorum_port}", "--lifespan=off", "--timeout-graceful-shutdown=5"]
    return [sys.executable, "-m", "uvicorn", "fusion_site.asgi:application", "--log-level=warning", *options]


def simulator_command(env: Env) -> list[str]:
    keys = [str(path) for path in sorted(ANSWER_KEYS.glob("*.jsonl"))]
    port = f"--port={env.quorum_simulator_port}"
    return [sys.executable, "-m", "panels.simulator", f"--host={HOST}", port, "--answers", *keys]


def manage(*arguments: str) -> list[str]:
    return [sys.executable, str(BASE_DIR / "manage.py"), *arguments]


def address_of(env: Env) -> str:
    return f"http://{HOST}:{env.quorum_port}/"


def wait_for(family: Family, url: str, *, what: str) -> None:
    family.wait_until(lambda: answers(url), what=what, seconds=READY_S)


def answers(url: str) -> bool:
    """Whether ``url`` answers 200; a proxy of the environment is never asked."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def require_free_port(port: int, *, variable: str) -> None:
    """Raises ``PortTaken``. A port that is free now may be taken later; then the child that needs it says so."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortTaken(
                f"Port {port} cannot be used: {error.strerror}. Set {variable} to a free port and start again."
            ) from error


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def fail(text: str, *, code: int) -> int:
    sys.stderr.write(f"{text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
