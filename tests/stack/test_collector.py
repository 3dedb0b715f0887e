"""The Collector's configuration is one that the Collector accepts, and it listens to nobody but this machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.stack.programs import collector
from tests.stack.running import ROOT

AGENT = ROOT / "collector" / "agent.yaml"


def validate(path: Path, storage: Path) -> subprocess.CompletedProcess[str]:
    """What the Collector says to `path`."""
    command = [collector(), "validate", f"--config={path}"]
    env = {"OTELCOL_STORAGE": str(storage)}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_the_collector_accepts_its_configuration(tmp_path: Path) -> None:
    checked = validate(AGENT, tmp_path)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(("setting", "wrong"), [("queue_size:", "queue_sizes:"), ("[otlp]", "[otlpx]")])
def test_it_would_refuse_what_does_not_exist(setting: str, wrong: str, tmp_path: Path) -> None:
    # Of its prometheus exporter the Collector checks values only, no names: those are proven by what they do.
    broken = tmp_path / "agent.yaml"
    broken.write_text(AGENT.read_text().replace(setting, wrong))
    checked = validate(broken, tmp_path)
    assert checked.returncode != 0
    assert wrong.strip("[]:") in checked.stderr


def test_without_a_variable_every_address_is_on_loopback() -> None:
    addresses = re.findall(r"\$\{env:OTELCOL_\w+:-([^}]*)\}", AGENT.read_text())
    outside = [
        each for each in addresses if re.search(r"\d+\.\d+\.\d+\.\d+|localhost", each) and "127.0.0.1" not in each
    ]
    assert len(addresses) >= 8
    assert outside == []


def test_the_manifest_has_every_component_that_the_configuration_uses() -> None:
    used = yaml.safe_load(AGENT.read_text())
    said = subprocess.run([collector(), "components"], capture_output=True, text=True, check=True).stdout
    has = yaml.safe_load(said)
    for kind in ("receivers", "processors", "exporters", "extensions"):
        wanted = {name.partition("/")[0] for name in used[kind]}
        assert wanted == {component["name"] for component in has[kind]}


def test_memory_is_limited_before_anything_else_and_batching_is_behind_the_queue() -> None:
    used = yaml.safe_load(AGENT.read_text())
    assert {pipeline["processors"][0] for pipeline in used["service"]["pipelines"].values()} == {"memory_limiter"}
    assert "batch" not in used["processors"]
    queue = used["exporters"]["otlp_http/traces"]["sending_queue"]
    assert (queue["storage"], "batch" in queue) == ("file_storage", True)
