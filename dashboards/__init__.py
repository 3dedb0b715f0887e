"""Grafana dashboards as code: queries, panels, one module per board, and what renders them to JSON."""
