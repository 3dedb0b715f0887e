"""MCP servers: is it healthy, what changed? One row for each question, in the order in which they are asked."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard

from dashboards import board as frame
from dashboards import changes, connections, health, load, own, room


def board() -> dashboard.Dashboard:
    """Make the board."""
    return frame.board(
        frame.OVERVIEW,
        "Whether the MCP servers serve well, how much room is left, and what is not as it was.",
        [frame.earlier()],
        [
            ("Is it healthy now?", health.tiles()),
            ("How do messages fare?", load.fates()),
            ("What changed?", changes.tables()),
            ("Where does the time go, and does it pile up?", load.times()),
            ("Is there room?", room.left()),
            ("Who is connected?", connections.sessions()),
            ("How large are messages and definitions?", connections.sizes()),
            ("What does mcp-otel itself take?", own.graphs()),
        ],
    )
