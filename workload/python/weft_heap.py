"""The heap of a profiled trial: what tracemalloc knows, by stack. Timed trials do not load this.

Tracing begins after the imports, just before the gate: what they hold is told by the
control trial. tracemalloc sees what is allocated through Python's allocators (C code
that calls malloc itself is not in it), every allocation and not a sample, and keeps
only what is in use.
"""
from __future__ import annotations

import dis
import gc
import os
import sys
import tracemalloc
import warnings
from types import CodeType

FRAMES = 25  # of a stack, from the allocation outwards
MAX_FILES = 500  # whose functions are looked up
MAX_SOURCE = 4 << 20  # bytes of one of them


def start() -> None:
    tracemalloc.start(FRAMES)


def stacks() -> dict:
    """What is in use now, in the form that gate.go gives: frames, and stacks of their numbers, leaf first."""
    gc.collect()
    statistics = tracemalloc.take_snapshot().statistics("traceback")
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
    names = Names()
    frames = [
        {"function": names.function(file, line), "file": shown(names.source(file)), "line": line}
        for file, line in numbers
    ]
    return {"frames": frames, "stacks": found}


def shown(file: str) -> str:
    """Our own files by their place in weft's repository: where they lie now will be gone."""
    here, name = os.path.split(file)
    return f"weft/workload/python/{name}" if here == os.path.dirname(__file__) else file


class Names:
    """The functions that lines belong to: tracemalloc knows files and lines only."""

    def __init__(self):
        self.files: dict[str, dict[int, str]] = {}
        self.modules = {}
        for module in list(sys.modules.values()):
            name, file = getattr(module, "__name__", None), getattr(module, "__file__", None)
            if isinstance(name, str) and isinstance(file, str) and name != "__main__":
                self.modules[file] = name
                self.modules[f"<frozen {name}>"] = name

    def source(self, file: str) -> str:
        """Where the code of a file is written. That of some modules is frozen into the interpreter."""
        if file.startswith("<frozen "):
            return getattr(sys.modules.get(self.modules.get(file)), "__file__", file)
        return file

    def function(self, file: str, line: int) -> str:
        """The innermost function, with its module; empty where that is not known."""
        if file not in self.files and len(self.files) < MAX_FILES:
            self.files[file] = functions_of(self.source(file))
        name = self.files.get(file, {}).get(line)
        if name is None:
            return ""
        module = self.modules.get(file) or os.path.splitext(os.path.basename(file))[0]
        return f"{module}.{name}"


def functions_of(file: str) -> dict[int, str]:
    """The function of each line of a file, found by compiling it again."""
    try:
        with open(file, "rb") as source:
            text = source.read(MAX_SOURCE)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(text, file, "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError):
        return {}  # <frozen importlib>, or a source that has changed
    names: dict[int, str] = {}
    fill(names, code, "")
    return names


def fill(names: dict[int, str], code: CodeType, name: str) -> None:
    for _, line in dis.findlinestarts(code):
        names[line] = name or "<module>"
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            fill(names, inner, f"{name}.{inner.co_name}" if name else inner.co_name)
