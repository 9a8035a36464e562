"""What is installed in a city: consistent with itself and with the sources. Building it is not CI's work."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest
import yaml
from packaging.utils import canonicalize_name

from deploy.runtime_lock import closure, pins
from gateway.config import Config
from tests.architecture.sizes import ROOT

DEPLOY = ROOT / "deploy"
CONTAINERFILE = DEPLOY / "container/Containerfile"
PACKAGES = ("gateway", "drivers", "rules", "simulators")
FINAL = re.compile(r"(?<!\\)\n")


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) of the Containerfile, continued lines joined."""
    text = re.sub(r"^#.*\n", "", CONTAINERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = (line.replace("\\\n", " ").split(None, 1) for line in FINAL.split(text) if line.strip())
    return [(word, " ".join(rest.split())) for word, rest in lines]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    start = max(number for number, (word, _) in enumerate(found) if word == "FROM")
    return found[start:]


def nfpm() -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load((DEPLOY / "debian/nfpm.yaml").read_text(encoding="utf-8"))
    return found


def contents() -> list[dict[str, str]]:
    found = nfpm()["contents"]
    assert isinstance(found, list)
    return found


def test_the_container_knows_only_instructions_that_there_are() -> None:
    known = {"ARG", "FROM", "WORKDIR", "ENV", "COPY", "RUN", "LABEL", "USER", "VOLUME", "EXPOSE"}
    known |= {"STOPSIGNAL", "HEALTHCHECK", "CMD", "ENTRYPOINT"}
    assert {word for word, _ in instructions()} <= known


def test_the_container_names_no_host_and_no_root() -> None:
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert set(bases) == {"${PYTHON_IMAGE}"}
    default = next(rest for word, rest in instructions() if word == "ARG")
    assert default.startswith("PYTHON_IMAGE=python:3.")
    users = [rest for word, rest in last_stage() if word == "USER"]
    assert users == ["10001:10001"]


def test_the_container_says_how_it_is() -> None:
    stage = dict(last_stage())
    assert "/readyz" in stage["HEALTHCHECK"]
    assert stage["VOLUME"] == "/var/lib/citygate"
    assert stage["ENTRYPOINT"] == '["citygate"]'
    ports = Config()
    exposed = {int(port) for port in stage["EXPOSE"].split()}
    assert exposed == {
        ports.mqtt.endpoint.port,
        ports.mqtt.endpoint.tls.port,
        ports.http.port,
        ports.hj212.port,
    }


def test_the_container_copies_what_there_is_and_what_it_may() -> None:
    allowed = (DEPLOY / "container/Containerfile.dockerignore").read_text(encoding="utf-8")
    for word, rest in instructions():
        if word != "COPY" or rest.startswith("--from"):
            continue
        for source in rest.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in allowed.splitlines(), source


def test_every_install_is_held_to_the_lock() -> None:
    for script in (CONTAINERFILE, DEPLOY / "build"):
        text = script.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(r"\binstall --quiet.*", text):
            assert "--require-hashes" in line or "--no-index" in line, line


def test_the_package_holds_what_there_is() -> None:
    for each in contents():
        if not each["src"].startswith("${STAGE}"):
            assert (ROOT / each["src"]).exists(), each["src"]
    scripts = nfpm()["scripts"]
    assert isinstance(scripts, dict)
    for script in scripts.values():
        assert subprocess.run(["sh", "-n", str(ROOT / script)], check=False).returncode == 0


def test_the_package_the_unit_and_the_user_fit() -> None:
    where = {each["dst"]: each for each in contents()}
    unit = (DEPLOY / "systemd/citygate.service").read_text(encoding="utf-8")
    command, config = re.findall(r"^ExecStart=(\S+) --config (\S+) run$", unit, re.MULTILINE)[0]
    assert command in where
    assert where[config]["type"] == "config|noreplace"
    user = re.findall(r"^User=(\w+)$", unit, re.MULTILINE)[0]
    assert (
        f'adduser --system --group --no-create-home --home /var/lib/citygate --gecos "citygate" {user}'
        in (DEPLOY / "debian/postinst").read_text(encoding="utf-8")
    )
    assert "/opt/citygate/lib" in where
    assert '"/opt/citygate/lib"' in (DEPLOY / "debian/launcher").read_text(encoding="utf-8")


def imported() -> Iterator[tuple[str, str]]:
    """(file, top-level module) of every import of the shipped packages."""
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    yield from ((str(file), alias.name.partition(".")[0]) for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield str(file), node.module.partition(".")[0]


def test_what_is_shipped_imports_only_what_is_shipped() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    shipped = closure(wanted)
    known = packages_distributions()
    for file, module in set(imported()):
        if module in sys.stdlib_module_names or module in PACKAGES:
            continue
        names = {canonicalize_name(name) for name in known.get(module, ())}
        assert names & shipped, f"{file} imports {module}, which is not shipped"
    assert not shipped & {"pytest", "mypy", "ruff", "hypothesis"}


def test_a_pin_keeps_its_hashes_and_each_of_its_markers() -> None:
    lock = "a==1 \\\n    --hash=sha256:0\nNum_Py==2 ; x \\\n    --hash=sha256:1\nnum-py==3 ; y \\\n    --hash=sha256:2\n"
    assert pins(lock) == {"a": lock[: lock.index("Num")], "num-py": lock[lock.index("Num") :]}


def test_a_dependency_brings_its_own_and_its_extras() -> None:
    assert {"httpx", "httpcore", "h11"} <= closure(["httpx"])
    assert "pyserial" in closure(["pymodbus[serial]"])
    assert "pyserial" not in closure(["pymodbus"])
    assert closure(["httpx; sys_platform == 'nowhere'"]) == set()


@pytest.mark.parametrize("words", [[], ["nonsense"]])
def test_the_builder_says_what_it_can_build(words: list[str]) -> None:
    done = subprocess.run([DEPLOY / "build", *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "deploy/build deb | image [folder]\n")
