"""Who is connected, and how large is what they send and get."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards import panels, queries
from dashboards.board import Panel
from dashboards.panels import Line, about, bars, graph, stat, warn_above
from dashboards.queries import ALL, SERVICE, Cut, legend
from mcp_otel.signals import names


def cap(width: int = 3) -> Panel:
    """Make the tile that says how near the cap on sessions is."""
    return stat(
        "Sessions of cap",
        about(
            "Open sessions as a share of what the server admits, on the fullest process. Beyond, new ones get 503.",
            "below 60 %. Servers on stdio, and those without sessions, have no cap.",
            "sessions by state, below: many idle ones are clients that never say goodbye.",
        ),
        "percentunit",
        queries.of_cap(),
        none="no cap",
        steps=warn_above(0.6, 0.95),
        width=width,
    )


def sessions() -> Sequence[Panel]:
    """Answer who is connected."""
    states = graph(
        "Sessions by state",
        about(
            "Open sessions: active (a request in flight, or within the last minute) or idle. Dashed: what all servers "
            "together admit; there is none where a server has no cap.",
            "well below the cap; idle ones come and go.",
            "idle ones only grow: clients leave without a goodbye, and sessions are never closed for it. Those that "
            "ended and stay in memory are on the board of memory.",
        ),
        "short",
        [
            Line(legend(names.STATE), queries.value(names.SESSIONS, Cut(by=(names.STATE,), only=(queries.OPEN,)))),
            Line("cap", queries.value(names.SESSIONS_LIMIT, ALL)),
        ],
        none="no sessions",
        stacked=True,
        colors={"active": "green", "idle": "#808080"},
    )
    return [
        panels.limit(states, "cap"),
        graph(
            "Sessions opened by client",
            about(
                "Sessions opened per minute, by the name that the client gave itself.",
                "steady, and about as many as end.",
                "one client far above the others: it connects anew for each call, and pays for definitions each time.",
            ),
            "cpm",
            [Line(legend(names.CLIENT), f"60 * {queries.rate(names.SESSIONS_OPENED, Cut(by=(names.CLIENT,)))}")],
            none="no sessions opened",
            stacked=True,
        ),
        graph(
            "Sessions ended by reason",
            about(
                "Sessions ended per minute: the client deleted it or disconnected, it was idle for too long, it "
                "crashed, or the server stopped.",
                "delete and disconnect.",
                "crash: the server's log and the traces of that minute. Idle: clients that never say goodbye.",
            ),
            "cpm",
            [Line(legend(names.REASON), f"60 * {queries.rate(names.SESSIONS_ENDED, Cut(by=(names.REASON,)))}")],
            none="no sessions ended",
            stacked=True,
            colors={"crash": "red"},
        ),
    ]


def sizes() -> Sequence[Panel]:
    """Answer how large messages and definitions are."""
    directions, kinds = Cut(by=(names.DIRECTION,)), Cut(by=(SERVICE, names.DEFINITIONS))
    return [
        graph(
            "Bytes in and out",
            about(
                "Bytes of JSON-RPC per second, received and sent.",
                "more is sent than received.",
                "sent rises faster than messages do: results grow, and with them validate and encode.",
            ),
            "Bps",
            [Line(legend(names.DIRECTION), queries.rate(names.MESSAGE_IO, directions))],
            none="no messages",
            width=6,
        ),
        graph(
            "Largest message",
            about(
                "Bytes of the largest message of the last minute, of all processes.",
                "tens of kilobytes; what a model can read is far below a megabyte.",
                "megabytes: one tool returns too much; encode and write on the board of tools tell which.",
            ),
            "decbytes",
            [Line(legend(names.DIRECTION), queries.value(names.MESSAGE_MAX, directions, "max"))],
            none="no messages",
            width=6,
        ),
        graph(
            "Size of definitions",
            about(
                "Bytes that one full listing takes, by service; known once a client has listed.",
                "flat: a step is a deployment that changed tools, prompts or resources.",
                "a step upwards: which definitions grew, and does each one earn its place?",
            ),
            "decbytes",
            [
                Line(
                    f"{legend(SERVICE)}: {legend(names.DEFINITIONS)}",
                    queries.value(names.DEFINITIONS_SIZE, kinds, "max"),
                )
            ],
            none="nothing listed yet",
            width=6,
            stepped=True,
        ),
        bars(
            "Tokens of definitions",
            about(
                "Tokens that one full listing costs every conversation, estimated as a quarter of its bytes.",
                "a few thousand; yellow from 10,000.",
                "fewer or shorter definitions: models choose better among few.",
            ),
            "short",
            Line(
                f"{legend(SERVICE)}: {legend(names.DEFINITIONS)}",
                f"sort_desc({queries.value(names.DEFINITIONS_TOKENS, kinds, 'max')})",
            ),
            none="nothing listed yet",
            steps=panels.warn_above(10_000, 50_000),
            width=6,
        ),
    ]
