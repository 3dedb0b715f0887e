"""Streams that clients keep open to listen: counted, timed and aged apart from every message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from mcp_otel.recorder import Recorder
from mcp_otel.seams.listening import Listener
from mcp_otel.settings import Settings
from mcp_otel.signals import names
from mcp_otel.streams import MAX_STREAMS, REASONS, Streams
from tests.promises import hosts, messages
from tests.promises.watching import Watched, watching
from tests.streams.visits import Browser, streaming
from tests.wire import MODERN, with_envelope

Series = dict[frozenset[tuple[str, Any]], Any]
LISTEN = "subscriptions/listen"


def run(told: Callable[[Browser, Watched], Awaitable[Any]], **given: Any) -> Watched:
    """What was said while `told` happened to a client of a Streamable HTTP server with a session."""

    async def main() -> None:
        async with streaming(hosts.high_level(hosts.Waiting()), **given) as browser:
            await browser.hello()
            await told(browser, watched)

    with watching() as watched:
        anyio.run(main)
        assert dict(watched.totals.failures) == {}
    return watched


def of(kind: str, reason: str | None = None) -> frozenset[tuple[str, Any]]:
    """The labels of a point."""
    said = {names.STREAM.name: kind, **({} if reason is None else {names.REASON.name: reason})}
    return frozenset(said.items())


def ended(watched: Watched) -> dict[tuple[str, str], int]:
    """How many streams ended, by kind and reason, but for none."""
    return {key: count for key, count in watched.recorder.live.streams.ended.items() if count}


def operations(series: dict[str, Series]) -> set[str]:
    """The methods in the standard histogram."""
    return {dict(said)[names.METHOD.name] for said in series[names.OPERATION_DURATION.name]}


def test_a_get_is_a_stream_with_an_age_while_it_is_open_and_with_a_duration_when_it_ended() -> None:
    async def told(browser: Browser, watched: Watched) -> None:
        assert names.STREAMS.name not in watched.collect() or watched.collect()[names.STREAMS.name] == {}
        stream = await browser.listen()
        assert (stream.status, stream.over) == (200, False)
        await anyio.sleep(0.05)  # it is older than that
        now = watched.collect()
        assert now[names.STREAMS.name] == {of("standalone"): 1}
        assert 0.05 <= now[names.STREAM_AGE.name][of("standalone")] < 4
        assert set(now[names.STREAMS_ENDED.name].values()) == {0}
        assert len(now[names.STREAMS_ENDED.name]) == len(REASONS)
        assert names.STREAM_DURATION.name not in now
        stream.leave()
        await stream.ended()
        now = watched.collect()
        assert now[names.STREAMS.name] == {of("standalone"): 0}
        assert now[names.STREAM_AGE.name] == {of("standalone"): 0.0}
        assert now[names.STREAMS_ENDED.name][of("standalone", reason="disconnect")] == 1
        assert sum(now[names.STREAMS_ENDED.name].values()) == 1
        assert now[names.STREAM_DURATION.name] == {of("standalone"): 1}
        assert operations(now) == {"initialize", "notifications/initialized"}

    watched = run(told)
    assert {span.name for span in watched.servers} == {"initialize", "notifications/initialized"}


def test_the_duration_of_streams_has_boundaries_of_its_own() -> None:
    async def told(browser: Browser, watched: Watched) -> None:
        stream = await browser.listen()
        stream.leave()
        await stream.ended()
        data = watched.reader.get_metrics_data()
        assert data is not None
        (metric,) = (
            metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == names.STREAM_DURATION.name
        )
        (point,) = metric.data.data_points
        assert point.explicit_bounds == names.STREAM_BUCKETS
        assert 0 < point.sum < 4

    run(told)


def test_why_a_stream_ended_is_told_apart() -> None:
    async def told(browser: Browser, watched: Watched) -> None:
        stream = await browser.listen()
        await browser.visit("DELETE").ended()
        await stream.ended()
        assert ended(watched) == {("standalone", "delete"): 1}

    run(told)

    async def stopped(browser: Browser, watched: Watched) -> None:
        stream = await browser.listen()
        stream.scope.cancel()
        await stream.ended()
        assert ended(watched) == {("standalone", "stop"): 1}

    run(stopped)


START = {"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", b"text/event-stream")]}
LAST = {"type": "http.response.body", "body": b"", "more_body": False}


@pytest.mark.parametrize(
    ("failure", "reason"), [(OSError, "crash"), (anyio.get_cancelled_exc_class, "stop"), (None, "stop")]
)
def test_what_ended_whoever_served_it_ended_the_stream(failure: Any, reason: str) -> None:
    recorder = Recorder(Settings())
    listener = Listener(recorder, "sse")

    async def told() -> None:
        await listener.sending(_pass)(START)
        kind = failure() if failure is anyio.get_cancelled_exc_class else failure
        listener.over(kind)
        listener.over(None)

    anyio.run(told)
    assert {key: count for key, count in recorder.live.streams.ended.items() if count} == {("sse", reason): 1}


def test_a_disconnect_after_the_last_byte_is_an_end_by_the_server() -> None:
    recorder = Recorder(Settings())
    listener = Listener(recorder, "standalone")

    async def told() -> None:
        async def send(_: Any) -> None:
            await listener.receiving(receive)()

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        await listener.sending(_pass)(START)
        await listener.sending(send)(LAST)

    anyio.run(told)
    assert recorder.live.streams.ended["standalone", "close"] == 1
    assert sum(recorder.live.streams.ended.values()) == 1


async def _pass(_: Any) -> None: ...


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"accept": "application/json"}, 406), ({"mcp_session_id": "nobody"}, 404)],
    ids=["not acceptable", "no such session"],
)
def test_a_get_that_is_refused_is_no_stream(headers: dict[str, str], status: int) -> None:
    async def told(browser: Browser, watched: Watched) -> None:
        visit = await browser.visit("GET", **headers).ended()
        assert visit.status == status
        assert watched.recorder.live.streams.levels() == {}

    run(told)


def test_a_second_get_is_refused_and_the_first_is_still_open() -> None:
    async def told(browser: Browser, watched: Watched) -> None:
        stream = await browser.listen()
        await stream.until(lambda visit: visit.status)
        await anyio.wait_all_tasks_blocked()
        second = await browser.visit("GET", accept="text/event-stream").ended()
        assert second.status == 409
        assert watched.recorder.live.streams.levels()["standalone"][0] == 1
        stream.leave()
        await stream.ended()

    run(told)


def test_what_the_answer_of_a_post_comes_by_is_no_stream() -> None:
    async def told(browser: Browser, watched: Watched) -> None:
        answer = await browser.ask(messages.call(1, "echo", text="x"))
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert watched.recorder.live.streams.levels() == {}

    run(told)


@pytest.mark.skipif(hosts.LINE == 1, reason="subscriptions came with protocol 2026-07-28, which 1.x does not speak")
def test_a_subscription_is_a_stream_too_and_no_latency() -> None:
    async def told(browser: Browser, watched: Watched) -> None:
        browser.session = ""
        body = with_envelope(messages.request("s", LISTEN, notifications={"toolsListChanged": True}))
        headers = {"mcp_protocol_version": MODERN, "mcp_method": LISTEN}
        stream = browser.visit("POST", body, **headers)
        await stream.until(lambda visit: visit.messages or visit.over)
        now = watched.collect()
        assert now[names.STREAMS.name] == {of("subscription"): 1}
        assert now[names.OLDEST_AGE.name] == {frozenset(): 0}
        stream.leave()
        await stream.ended()
        await anyio.wait_all_tasks_blocked()
        now = watched.collect()
        assert now[names.STREAMS.name] == {of("subscription"): 0}
        assert now[names.STREAMS_ENDED.name][of("subscription", reason="disconnect")] == 1
        assert now[names.STREAM_DURATION.name] == {of("subscription"): 1}
        assert LISTEN not in operations(now)

    watched = run(told)
    assert [span.name for span in watched.servers].count(LISTEN) == 1


def test_streams_are_remembered_up_to_a_bound() -> None:
    streams = Streams()
    assert all(streams.open(key, "sse") for key in range(MAX_STREAMS))
    assert not streams.open(-1, "sse")
    assert streams.levels()["sse"][0] == MAX_STREAMS
    assert streams.close(-1, "close") is None
    assert sum(streams.ended.values()) == 0


def test_a_stream_beyond_the_bound_is_said_to_be_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_otel.streams.MAX_STREAMS", 0)

    async def told(browser: Browser, watched: Watched) -> None:
        stream = await browser.listen()
        stream.leave()
        await stream.ended()

    assert run(told).totals.dropped["streams"] == 1
