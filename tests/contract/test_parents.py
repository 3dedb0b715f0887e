"""Whose child a SERVER span is: `_meta` first, then the HTTP span of the message's own POST; with both, a link."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.doors import DOORS, FORMS, STANDALONE
from tests.contract.heard import Heard, hear
from tests.sink import Sink

ONE_EACH = {"fastmcp_2": "http-json", "fastmcp_3": "http-sse", "fastmcp_4": "http-modern"}
HTTP = [(form, door) for form in FORMS for door in DOORS.values() if door.http]
HTTP += [(form, DOORS[name]) for form, name in ONE_EACH.items() if form in STANDALONE]


@pytest.fixture(scope="module", params=HTTP, ids=[f"{form}-{door.name}" for form, door in HTTP])
def under_http(request: pytest.FixtureRequest) -> Iterator[Heard]:
    """The story told to an application that has a tracer provider and HTTP spans of its own."""
    form, door = request.param
    with Sink() as sink:
        yield hear(form, door, sink, STORY_HTTP_SPANS="1")


def test_a_message_is_the_child_of_its_meta_and_linked_to_its_own_post_or_else_the_child_of_its_post(
    under_http: Heard,
) -> None:
    posts = {span["attributes"]["client.port"]: span for span in under_http.sink.spans if span["name"] == "POST"}
    for told, span in under_http.pairs():
        assert span is not None, told.step
        assert told.pending.port is not None
        post = posts[told.pending.port]
        link = {"trace_id": post["trace_id"], "span_id": post["span_id"], "attributes": {}}
        parent = span["trace_id"], span["parent_span_id"]
        if told.parent is not None:
            assert (parent, span["links"]) == (told.parent, [link]), told.step
        else:
            assert (parent, span["links"]) == ((post["trace_id"], post["span_id"]), []), told.step


def test_the_applications_own_provider_gets_exactly_one_span_per_message(under_http: Heard) -> None:
    assert len(under_http.servers()) == len(under_http.told)
    assert {resource(span) for span in under_http.servers()} == {"unknown_service"}


def resource(span: dict[str, Any]) -> Any:
    """The name of the service; the application gave itself none."""
    return span["resource"]["service.name"].partition(":")[0]
