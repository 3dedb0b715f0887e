"""What a call costs with us, with the SDK's own span, and with nobody: interleaved in one run."""
