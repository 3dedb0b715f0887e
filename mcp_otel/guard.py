"""What guards a method of ours that a host's code calls: a failure is counted, and answers None."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

_P = ParamSpec("_P")
_R = TypeVar("_R")


def never_raises(method: Callable[_P, _R]) -> Callable[_P, _R]:
    """Count and swallow whatever `method` raises, saying each kind once; it then answers None."""

    @functools.wraps(method)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return method(*args, **kwargs)
        except Exception as error:
            cast("Any", args[0]).count_failure(method.__name__, error)
            return cast("_R", None)

    return guarded
