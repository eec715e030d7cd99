"""The heap of a traced trial: what tracemalloc knows, by stack. Other trials do not load this.

Tracing begins after the imports, just before the gate: what they hold is told by the
control trial. tracemalloc sees what is allocated through Python's allocators (C code
that calls malloc itself is not in it), every allocation and not a sample, and keeps
only what is in use. It makes parsing twenty times as slow, so it ends with the first
answer: that is what is in use while the tasks wait.
"""
from __future__ import annotations

import dis
import gc
import os
import sys
import tracemalloc
from collections.abc import Iterable
from types import CodeType, FunctionType, ModuleType

FRAMES = 25  # of a stack, from the allocation outwards


def start() -> None:
    tracemalloc.start(FRAMES)


def stacks() -> dict | None:
    """What is in use now, in the form that gate.go gives; None after the first time."""
    if not tracemalloc.is_tracing():
        return None
    gc.collect()
    snapshot = tracemalloc.take_snapshot()
    tracemalloc.stop()
    statistics = snapshot.statistics("traceback")
    numbers: dict[tuple[str, int], int] = {}
    found = []
    for s in statistics:
        frames = [(frame.filename, frame.lineno) for frame in reversed(s.traceback)]
        if any(file == __file__ for file, _ in frames):
            continue  # of this very profile
        found.append({
            "count": s.count,
            "size": s.size,
            "cut": (s.traceback.total_nframe or 0) > len(frames),
            "frames": [numbers.setdefault(frame, len(numbers)) for frame in frames],
        })
    names = Names(numbers)
    frames = [
        {"function": names.function(file, line), "file": names.source(file), "line": line}
        for file, line in numbers
    ]
    return {"frames": frames, "stacks": found}


class Names:
    """The functions that lines belong to.

    tracemalloc knows files and lines only; the code objects of living functions know their lines.
    """

    def __init__(self, wanted: Iterable[tuple[str, int]]):
        self.modules: dict[str, ModuleType] = {}  # by the file name in their code objects
        for module in list(sys.modules.values()):
            name, file = getattr(module, "__name__", None), getattr(module, "__file__", None)
            if isinstance(name, str) and isinstance(file, str):
                self.modules[file] = self.modules[f"<frozen {name}>"] = module
        self.functions: dict[tuple[str, int], str] = {}
        files = {file for file, _ in wanted}
        for f in gc.get_objects():
            if type(f) is FunctionType and f.__code__.co_filename in files:
                self.learn(f.__code__, getattr(f.__code__, "co_qualname", f.__qualname__))

    def learn(self, code: CodeType, name: str) -> None:
        for _, line in dis.findlinestarts(code):
            self.functions[code.co_filename, line] = name
        for inner in code.co_consts:  # lambdas, comprehensions, inner functions
            if isinstance(inner, CodeType):
                self.learn(inner, f"{name}.{inner.co_name}")

    def function(self, file: str, line: int) -> str:
        """The innermost function with its module; empty where neither is known."""
        module = self.modules.get(file)
        name = self.functions.get((file, line), "<module>" if module else "")
        if not module or not name:
            return name
        stem, _ = os.path.splitext(os.path.basename(file))
        return f"{stem if module.__name__ == '__main__' else module.__name__}.{name}"

    def source(self, file: str) -> str:
        """Where the code is written.

        That of modules frozen into the interpreter is elsewhere, and weft's own will be gone from
        where it lies now.
        """
        file = getattr(self.modules.get(file), "__file__", file)
        here, name = os.path.split(file)
        return f"weft/workload/python/{name}" if here == os.path.dirname(__file__) else file
