"""Saying it in OpenTelemetry's words: events in; spans, metrics and log records out."""
