"""Examines this Python, a server that it starts, or one that runs: what works, what does not, and how to mend it.

A program of its own: nothing here runs inside a host, but for `inside`, which the doctor's own child asks for.
"""
