"""Grafana dashboards drawn with Grafana's own components, and checked against Grafana's own types, without Grafana."""
