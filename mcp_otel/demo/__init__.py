"""A small MCP server to watch, and users for it: what the boards, the alerts and their tests are shown with."""
