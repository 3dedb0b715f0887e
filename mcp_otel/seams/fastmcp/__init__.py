"""The `fastmcp` package, which stands on the SDK: its own spans, the names it registers, the checks it makes."""
