"""The stack of docker-compose.yml, without an engine: it fits the schema, and its parts fit each other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import pytest
import yaml

from tests.stack.programs import need
from tests.stack.running import ROOT, ask, free_port, wait
from tests.stack.test_rules import SEVERITIES

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
AGENT, BUILDER = ROOT / "collector/agent.yaml", ROOT / "collector/builder.yaml"
PROMETHEUS = ROOT / "alerts/prometheus.yml"
ALERTMANAGER = ROOT / "alerts/alertmanager.yml"
PROVISIONING = ROOT / "dashboards/provisioning"

ADDRESS = re.compile(r"\b([a-z]+):(\d{2,5})\b")
VARIABLE = re.compile(r"\$\{env:(\w+)")
PINNED = re.compile(r":v?\d+\.\d+(\.\d+)?(-\w+)?$")

each_service = pytest.mark.parametrize("service", SERVICES)


class Mount(NamedTuple):
    source: Path
    target: str
    mode: str


def load(path: Path) -> Any:
    """A YAML file."""
    return yaml.safe_load(path.read_text())


def mounts(service: str) -> list[Mount]:
    """What `service` sees of the clone; named volumes are left out."""
    given = [(*volume.split(":"), "rw")[:3] for volume in SERVICES[service].get("volumes", [])]
    return [Mount(ROOT / source, target, mode) for source, target, mode in given if source.startswith(".")]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it in the clone, whatever it answers."""
    return subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False)


def accepts(*command: str | Path) -> None:
    """Assert that the program ends well."""
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr


def strings(value: Any) -> Iterator[str]:
    """Every text in a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from strings(one)


# --- the file itself


def test_it_fits_the_schema_of_the_compose_specification() -> None:
    accepts(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_docker_compose_accepts_it() -> None:
    """In addition to the schema, so it is skipped in CI as well where the plugin is missing."""
    if shutil.which("docker") is None or run("docker", "compose", "version").returncode != 0:
        pytest.skip("docker compose is not installed")
    accepts("docker", "compose", "config", "--quiet")


def test_every_image_is_pinned_to_a_version() -> None:
    images = {service["image"] for service in SERVICES.values()} - {SERVICES["server"]["image"]}
    images |= {*re.findall(r"^FROM (\S+)", SERVICES["server"]["build"]["dockerfile_inline"], re.MULTILINE)}
    assert len(images) == 7
    assert [image for image in sorted(images) if not PINNED.search(image)] == []


@each_service
def test_a_service_is_published_on_loopback_only(service: str) -> None:
    assert [port for port in SERVICES[service].get("ports", []) if not port.startswith("127.0.0.1:")] == []
    assert SERVICES[service].get("network_mode") in (None, "none")


@each_service
def test_a_long_lived_service_restarts_and_has_a_health_check_or_says_why_not(service: str) -> None:
    said = SERVICES[service]
    if said["restart"] != "no":
        assert said["restart"] == "unless-stopped"
        assert ("healthcheck" in said) != bool(said.get("x-no-healthcheck"))


@each_service
def test_a_service_waits_only_for_what_can_come_true(service: str) -> None:
    awaited = SERVICES[service].get("depends_on", {})
    for name, how in awaited.items() if isinstance(awaited, dict) else ():
        condition = how["condition"]
        assert condition != "service_healthy" or "healthcheck" in SERVICES[name]
        assert condition != "service_completed_successfully" or SERVICES[name]["restart"] == "no"


@each_service
def test_a_mounted_path_exists_and_is_read_only(service: str) -> None:
    for mount in mounts(service):
        assert mount.source.exists(), mount.source
        assert mount.mode == "ro", mount.source


def test_every_named_volume_is_declared_and_used() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert {volume for volume in used if not volume.startswith(".")} == set(COMPOSE["volumes"])


# --- what is mounted is what the other tests of this folder start


def test_the_configurations_that_are_tested_are_the_ones_that_are_mounted() -> None:
    mounted = {name: {mount.source for mount in mounts(name)} for name in SERVICES}
    assert mounted["collector"] == {AGENT}
    rules = {PROMETHEUS.parent / name for name in load(PROMETHEUS)["rule_files"]}
    assert mounted["prometheus"] == {PROMETHEUS, *rules}
    assert mounted["alertmanager"] == {ALERTMANAGER}
    assert {*PROMETHEUS.parent.glob("*.yml")} == mounted["prometheus"] | mounted["alertmanager"]


@pytest.mark.parametrize("service", ["collector", "prometheus", "alertmanager", "tempo"])
def test_a_program_is_told_the_file_that_is_mounted(service: str) -> None:
    (told,) = [one.split("=")[1] for one in SERVICES[service]["command"] if one.lstrip("-").startswith("config")]
    beside = {mount.target: mount.source for mount in mounts(service)}
    assert told in beside
    if service == "prometheus":  # reads its rules from beside this file
        assert {str(Path(told).parent / name) for name in load(PROMETHEUS)["rule_files"]} < set(beside)


# --- parts fit each other


def test_the_collector_is_given_every_address_that_its_file_reads_and_nothing_else() -> None:
    read = set(VARIABLE.findall(AGENT.read_text()))
    assert set(SERVICES["collector"]["environment"]) == read - {"OTELCOL_METRIC_EXPIRATION"}
    storage = SERVICES["collector"]["environment"]["OTELCOL_STORAGE"]
    assert f"collector-queue:{storage}" in SERVICES["collector"]["volumes"]
    assert storage in SERVICES["storage"]["command"]


def test_the_collector_is_the_release_that_is_built_and_is_limited_before_its_container_is_killed() -> None:
    release = load(BUILDER)["processors"][0]["gomod"].split(" v")[1]
    assert SERVICES["collector"]["image"].split(":")[1] == release
    assert load(AGENT)["processors"]["memory_limiter"]["limit_mib"] < int(SERVICES["collector"]["mem_limit"][:-1])


def _listening() -> dict[str, set[str]]:
    """Where each service listens: by its health check, its command, its configuration."""
    own = re.compile(r"127\.0\.0\.1:(\d+)")
    found = {name: set(own.findall(str(said.get("healthcheck")))) for name, said in SERVICES.items()}
    given = SERVICES["collector"]["environment"]
    given = [*given.values(), f"{given['OTELCOL_SELF_HOST']}:{given['OTELCOL_SELF_PORT']}"]
    found["collector"] = {value.split(":")[1] for value in given if value.startswith("0.0.0.0:")}
    tempo = load(ROOT / "collector/tempo.yaml")
    received = tempo["distributor"]["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    found["tempo"] = {str(tempo["server"]["http_listen_port"]), received.removeprefix("0.0.0.0:")}
    return found


def test_every_address_is_one_where_a_service_listens() -> None:
    documents = [load(PROMETHEUS), *map(load, PROVISIONING.rglob("*.yaml"))]
    documents += [service.get(key) for service in SERVICES.values() for key in ("environment", "command")]
    named = {found for document in documents for text in strings(document) for found in ADDRESS.findall(text)}
    assert len(named) == 8
    assert [(host, port) for host, port in named if port not in _listening().get(host, ())] == []


@each_service
def test_a_published_port_is_one_where_the_service_listens(service: str) -> None:
    assert {port.split(":")[2] for port in SERVICES[service].get("ports", [])} <= _listening()[service]


def test_the_demo_runs_modules_of_ours_on_the_sdk_that_is_tested() -> None:
    modules = [name for said in SERVICES.values() for name in said.get("command", []) if name.startswith("mcp_otel.")]
    assert modules == ["mcp_otel.demo.desk", "mcp_otel.demo.users"]
    assert [name for name in modules if not (ROOT / f"{name.replace('.', '/')}.py").is_file()] == []
    (sdk,) = re.findall(r"\bmcp==\S+", SERVICES["server"]["build"]["dockerfile_inline"])
    assert f" {sdk} " in (ROOT / "Makefile").read_text()


def test_the_image_is_built_from_what_the_package_needs() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    project = (ROOT / "pyproject.toml").read_text()
    asked = re.findall(r"^(?:readme|license-files|packages) = (.+)$", project, re.MULTILINE)
    assert kept == {"pyproject.toml", *re.findall(r'"([^"]+)"', " ".join(asked))}


# --- Prometheus and Alertmanager accept their files, and alerts go where they should


def test_prometheus_accepts_its_configuration() -> None:
    accepts(need("promtool"), "check", "config", PROMETHEUS)
    jobs = {job["job_name"]: job.get("honor_labels", False) for job in load(PROMETHEUS)["scrape_configs"]}
    assert jobs == {"mcp-servers": True, "otelcol": False}


def test_alertmanager_accepts_its_configuration() -> None:
    accepts(need("amtool"), "check-config", ALERTMANAGER)


@pytest.mark.parametrize("severity", sorted(SEVERITIES))
def test_an_alert_goes_to_the_receiver_of_its_severity(severity: str) -> None:
    routed = run(need("amtool"), "config", "routes", "test", f"--config.file={ALERTMANAGER}", f"severity={severity}")
    assert routed.stdout.strip() == severity


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    """Where the alerts are of one that runs by our file."""
    address = f"127.0.0.1:{free_port()}"
    program = need("prometheus-alertmanager", "alertmanager")
    given = [f"--config.file={ALERTMANAGER}", f"--storage.path={tmp_path}", f"--web.listen-address={address}"]
    with subprocess.Popen([program, *given, "--cluster.listen-address="], stderr=subprocess.DEVNULL) as running:
        try:
            yield f"http://{address}/api/v2/alerts"
        finally:
            running.kill()


def _hidden(url: str, *alerts: dict[str, str]) -> set[str]:
    """Which of these alerts, firing together, Alertmanager keeps to itself; it takes them in order, one by one."""
    last = [_alert("Last", severity, "McpLast", "last") for severity in ("ticket", "page")]
    body = json.dumps([{"labels": labels} for labels in (*alerts, *last)]).encode()

    def hidden() -> set[str]:
        try:
            urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=5).close()
        except OSError:
            return set()
        return {one["labels"]["alertname"] for one in ask(url) if one["status"]["inhibitedBy"]}

    return wait(lambda: hidden() if "Last" in hidden() else set(), 20, "the last of them is hidden") - {"Last"}


def _alert(name: str, severity: str, family: str, job: str, **more: str) -> dict[str, str]:
    return {"alertname": name, "severity": severity, "family": family, "job": job, **more}


def test_a_page_hides_the_tickets_of_its_family_about_the_same_service_or_process(alertmanager: str) -> None:
    page = _alert("Page", "page", "McpSessions", "desk", instance="1")
    near = [
        _alert("Same", "ticket", "McpSessions", "desk", instance="1"),
        _alert("OtherProcess", "ticket", "McpSessions", "desk", instance="2"),
        _alert("OtherService", "ticket", "McpSessions", "shop", instance="1"),
        _alert("OtherFamily", "ticket", "McpLatency", "desk", instance="1"),
        _alert("OtherPage", "page", "McpSessions", "desk", instance="1"),
    ]
    assert _hidden(alertmanager, page, *near) == {"Same"}


def test_a_collector_that_is_down_hides_what_only_follows_from_it(alertmanager: str) -> None:
    down = _alert("McpCollectorDown", "page", "McpTelemetry", "otelcol")
    absent = [_alert("McpTelemetryAbsent", "page", "McpTelemetry", job) for job in ("desk", "shop")]
    other = _alert("McpSessionsFull", "page", "McpSessions", "desk")
    assert _hidden(alertmanager, down, *absent, other) == {"McpTelemetryAbsent"}


# --- Grafana


def test_boards_find_their_data_source_and_exemplars_their_traces() -> None:
    sources = {one["uid"]: one for one in load(PROVISIONING / "datasources/mcp-otel.yaml")["datasources"]}
    assert {uid: one["type"] for uid, one in sources.items()} == {"prometheus": "prometheus", "tempo": "tempo"}
    (link,) = sources["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert sources[link["datasourceUid"]]["type"] == "tempo"
    (default,) = [one["type"] for one in sources.values() if one.get("isDefault")]
    for board in (json.loads(path.read_text()) for path in (ROOT / "dashboards/rendered").glob("*.json")):
        assert {one["query"] for one in board["templating"]["list"] if one["type"] == "datasource"} == {default}
        uids = set(re.findall(r'"datasource": \{[^}]*"uid": "([^"]+)"', json.dumps(board)))
        assert uids - {"-- Grafana --"} == {"${datasource}"}


def test_boards_are_provisioned_from_where_they_are_mounted() -> None:
    (provider,) = load(PROVISIONING / "dashboards/mcp-otel.yaml")["providers"]
    at = {mount.target: mount.source for mount in mounts("grafana")}
    assert at[provider["options"]["path"]] == ROOT / "dashboards/rendered"
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (at[str(home.parent)] / home.name).is_file()
    for kind in ("datasources", "dashboards"):
        assert at[f"/etc/grafana/provisioning/{kind}"] == PROVISIONING / kind
