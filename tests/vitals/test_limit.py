"""The limit is the smallest that the files of a machine or container name, and the source is the file that did."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from mcp_otel.vitals import limit
from mcp_otel.vitals.limit import Ceiling, Limit, address_space, find
from tests.house.source import ROOT

MB = 1 << 20
GB = 1 << 30
V2 = "sys/fs/cgroup"
V1 = "sys/fs/cgroup/memory"
V1_NONE = "9223372036854771712"
MEMINFO = "MemTotal:       8388608 kB\nMemFree:        1048576 kB\nMemAvailable:   6291456 kB\n"


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in {"proc/meminfo": MEMINFO, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def unlimited() -> None:
    return None


def test_a_container_of_version_2_has_the_limit_at_its_mount(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/\n",
            f"{V2}/memory.max": f"{512 * MB}\n",
            f"{V2}/memory.current": f"{300 * MB}\n",
            f"{V2}/memory.stat": f"anon {200 * MB}\ninactive_file {60 * MB}\nactive_file {30 * MB}\n",
        },
    )
    # Pages of files go before anything is killed.
    assert find(root, unlimited) == Limit(512 * MB, "cgroup_v2", used=210 * MB)


@pytest.mark.parametrize(
    ("own", "above", "top", "expected"),
    [
        ("max", "max", "max", 8 * GB),
        ("1073741824", "max", "max", GB),
        ("max", "536870912", "max", 512 * MB),
        ("1073741824", "536870912", "max", 512 * MB),
        ("536870912", "1073741824", "268435456", 256 * MB),
    ],
)
def test_of_nested_groups_of_version_2_the_smallest_wins(
    tmp_path: Path, own: str, above: str, top: str, expected: int
) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/system.slice/server.service\n",
            f"{V2}/memory.max": top,
            f"{V2}/system.slice/memory.max": above,
            f"{V2}/system.slice/server.service/memory.max": own,
            f"{V2}/system.slice/other.service/memory.max": "4096",
        },
    )
    found = find(root, unlimited)
    assert found is not None
    assert (found.bytes, found.source) == (expected, "host" if expected == 8 * GB else "cgroup_v2")


@pytest.mark.parametrize(
    ("own", "above", "expected"),
    [(V1_NONE, V1_NONE, None), (f"{GB}", V1_NONE, GB), (V1_NONE, f"{GB}", GB), (f"{2 * GB}", f"{GB}", GB)],
)
def test_of_nested_groups_of_version_1_the_smallest_wins_and_the_huge_number_is_no_limit(
    tmp_path: Path, own: str, above: str, expected: int | None
) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "9:name=systemd:/init\n4:cpu,memory:/docker/abc\n1:cpuset:/other\n0::/\n",
            f"{V1}/memory.limit_in_bytes": V1_NONE,
            f"{V1}/docker/memory.limit_in_bytes": above,
            f"{V1}/docker/abc/memory.limit_in_bytes": own,
            f"{V1}/other/memory.limit_in_bytes": "4096",
        },
    )
    assert find(root, unlimited) == (
        Limit(8 * GB, "host", used=2 * GB) if expected is None else Limit(expected, "cgroup_v1")
    )


def test_version_1_says_what_is_used_without_the_pages_of_files(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/\n",
            f"{V1}/memory.limit_in_bytes": f"{GB}",
            f"{V1}/memory.usage_in_bytes": f"{400 * MB}",
            f"{V1}/memory.stat": f"inactive_file 1\ntotal_inactive_file {90 * MB}\ntotal_active_file {10 * MB}\n",
        },
    )
    assert find(root, unlimited) == Limit(GB, "cgroup_v1", used=300 * MB)


def test_a_container_that_sees_the_paths_of_its_host_still_finds_its_own_mount(tmp_path: Path) -> None:
    root = tree(
        tmp_path, {"proc/self/cgroup": "4:memory:/docker/abc\n", f"{V1}/memory.limit_in_bytes": f"{256 * MB}\n"}
    )
    assert find(root, unlimited) == Limit(256 * MB, "cgroup_v1")


@pytest.mark.parametrize("path", ["/../neighbour", "/.."])
def test_a_group_outside_of_the_namespace_is_not_looked_for(tmp_path: Path, path: str) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": f"0::{path}\n",
            f"{V2}/memory.max": f"{GB}",
            "sys/fs/neighbour/memory.max": "4096",
            "sys/fs/memory.max": "4096",
        },
    )
    assert find(root, unlimited) == Limit(GB, "cgroup_v2")


def test_a_host_with_both_versions_has_the_memory_of_version_1(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/a\n0::/b\n",
            f"{V1}/a/memory.limit_in_bytes": f"{2 * GB}",
            f"{V2}/unified/b/cgroup.procs": "1",
        },
    )
    assert find(root, unlimited) == Limit(2 * GB, "cgroup_v1")


@pytest.mark.parametrize("nonsense", ["", "lots", "-1", "0", "12 kB", "\x00\xff", "²"])
def test_what_says_nonsense_leaves_the_question_to_the_next(tmp_path: Path, nonsense: str) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/a/b\n",
            f"{V2}/a/b/memory.max": nonsense,
            f"{V2}/a/memory.max": f"{GB}",
            f"{V1}/memory.limit_in_bytes": nonsense,
        },
    )
    assert find(root, unlimited) == Limit(GB, "cgroup_v2")
    (root / f"{V2}/a/memory.max").write_text(nonsense)
    assert find(root, unlimited) == Limit(8 * GB, "host", used=2 * GB)
    (root / "proc/self/cgroup").write_text(nonsense)
    assert find(root, unlimited) == Limit(8 * GB, "host", used=2 * GB)
    (root / "proc/meminfo").write_text(nonsense)
    assert find(root, unlimited) is None


def test_what_fails_leaves_the_question_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise psutil.Error

    root = tree(tmp_path, {"proc/self/cgroup": "0::/\n", f"{V2}/memory.max": f"{GB}"})
    monkeypatch.setattr(limit, "ROOT", root)  # there psutil is asked as well
    monkeypatch.setattr(psutil, "virtual_memory", refuse)
    (root / "proc/meminfo").unlink()
    assert find(root, unlimited) == Limit(GB, "cgroup_v2")
    (root / f"{V2}/memory.max").unlink()
    assert find(root, unlimited) is None


def test_where_there_is_neither_proc_nor_a_group_there_is_no_limit(tmp_path: Path) -> None:
    assert find(tmp_path, unlimited) is None
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/a\x00b\n")
    assert find(tmp_path, unlimited) is None


def test_folders_where_files_should_be_do_no_harm(tmp_path: Path) -> None:
    root = tree(tmp_path, {"proc/self/cgroup/x": "", f"{V2}/memory.max/x": "", f"{V1}/x": ""})
    assert find(root, unlimited) == Limit(8 * GB, "host", used=2 * GB)


def test_the_ceiling_leaves_out_what_others_of_the_group_hold() -> None:
    assert Limit(GB, "cgroup_v2").ceiling(rss=100 * MB, vms=GB) == Ceiling(GB, "cgroup_v2")
    shared = Limit(GB, "cgroup_v2", used=700 * MB)
    assert shared.ceiling(rss=100 * MB, vms=GB) == Ceiling(424 * MB, "cgroup_v2")
    # Pages that this process shares may be charged to somebody else.
    assert shared.ceiling(rss=800 * MB, vms=GB) == Ceiling(GB, "cgroup_v2")


def test_address_space_counts_from_what_is_reserved_and_not_from_what_is_resident() -> None:
    confined = Limit(4 * GB, "host", address_space=3 * GB)
    assert confined.ceiling(rss=100 * MB, vms=2 * GB) == Ceiling(100 * MB + GB, "address_space")
    assert confined.ceiling(rss=100 * MB, vms=4 * GB) == Ceiling(100 * MB, "address_space")
    assert Limit(512 * MB, "cgroup_v2", address_space=3 * GB).ceiling(100 * MB, GB) == Ceiling(512 * MB, "cgroup_v2")


def test_the_limit_of_address_space_is_never_the_limit_of_memory(tmp_path: Path) -> None:
    assert find(tree(tmp_path, {}), lambda: GB) == Limit(8 * GB, "host", used=2 * GB, address_space=GB)


def test_a_real_process_knows_its_address_space() -> None:
    script = (
        "import json; from mcp_otel.vitals.limit import *; print(json.dumps([address_space(), find().address_space]))"
    )

    def confine() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (4 * GB, resource.getrlimit(resource.RLIMIT_AS)[1]))

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, preexec_fn=confine, capture_output=True, check=True, timeout=15
    )
    assert json.loads(done.stdout) == [4 * GB, 4 * GB]


def test_this_machine_has_a_limit() -> None:
    found = find()
    assert found is not None
    assert psutil.Process().memory_info().rss < found.bytes <= psutil.virtual_memory().total
    assert found.address_space == address_space()
