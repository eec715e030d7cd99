"""What weft's Python models share: the gate, the pages, the parser, the result.

weft starts a model as a child (workload/gate.go has the protocol): its configuration
is JSON in the last argument, descriptor 3 brings weft's words, descriptor 4 takes the
child's. A model is a script that imports this module first, and ends with

    weft_child.main(work)

where work(trial) fetches every unit of trial.units() and then returns.

Nothing but the standard library is imported here, and little of it, because all of it
is in the memory of every model. Works with Python 3.9 and later.
"""
from __future__ import annotations

import hashlib
import json
import os
import resource
import socket
import sys
import time
from _thread import allocate_lock, start_new_thread  # real ones, whatever a model patches later

from weft_page import ContentError, page_at, read_page

# The causes of failed requests, as in cause.go.
REFUSED, RESET, TIMEOUT, STATUS = "refused", "reset", "timeout", "status"
CUT, CONTENT, OTHER = "cut body", "wrong content", "other"

EXIT_FAILED, EXIT_ORPHAN = 1, 3
MAX_ERROR_TEXT = 300  # bytes


class StatusError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int):
        super().__init__(f"status {status}")


class CutError(Exception):
    """An answer that ended before its end."""


# The first row that fits an error, or what it came from, names its cause. Models add
# the errors of their libraries.
CAUSES = [
    (StatusError, STATUS),
    (ContentError, CONTENT),
    ((TimeoutError, socket.timeout), TIMEOUT),
    (ConnectionRefusedError, REFUSED),
    ((ConnectionResetError, BrokenPipeError, ConnectionAbortedError), RESET),
    (CutError, CUT),
]


def cause_of(error: BaseException) -> str:
    chain = chain_of(error)
    for kinds, cause in CAUSES:
        if any(isinstance(e, kinds) for e in chain):
            return cause
    return OTHER


def chain_of(error: BaseException) -> list[BaseException]:
    """The error, what it came from, and so on to the first."""
    chain = []
    while error is not None and error not in chain:
        chain.append(error)
        if isinstance(error, OSError) and error.errno:
            # A library's own kind of OSError: Python makes of this one the kind for its number.
            chain.append(OSError(error.errno, os.strerror(error.errno)))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return chain


def text_of(error: BaseException) -> str:
    """The error's name with the words of the first in its chain, which say most."""
    words = next((str(e) for e in reversed(chain_of(error)) if str(e)), "")
    text = f"{type(error).__name__}: {words}".encode("utf-8", "replace")
    return text[:MAX_ERROR_TEXT].decode("utf-8", "ignore")


class Config:
    """What weft tells its child."""

    def __init__(self, text: str):
        told = json.loads(text)
        self.url: str = told["url"].rstrip("/")
        self.requests: int = told["requests"]
        # Most requests in flight; None is as many as the library takes by itself.
        self.concurrency: int | None = None if told.get("own") else told["concurrency"]
        self.keepalive: bool = told["keepalive"]
        self.timeout: float = (told["timeout_ns"] or 30_000_000_000) / 1e9  # of a request, seconds
        self.profile: bool = told["profile"]


class Unit:
    """One page to fetch.

    Used as a context, it is counted at the end: what is raised within makes it a failed one.
    """

    __slots__ = ("trial", "page", "departures")

    def __init__(self, trial: Trial, number: int):
        self.trial = trial
        self.page = page_at(number)
        self.departures = []

    @property
    def url(self) -> str:
        return self.trial.config.url + self.page.target()

    def parse(self, body: bytes) -> None:
        self.departures = read_page(body, self.page)

    def __enter__(self) -> Unit:
        return self

    def __exit__(self, kind, error, traceback) -> bool:
        if error is not None and not isinstance(error, Exception):
            return False  # the interpreter is to end
        self.trial.finish(self, error)
        return True


class Trial:
    """The work of one trial and what has become of it."""

    def __init__(self, config: Config):
        self.config = config
        self.done: list[Unit] = []
        self.failures: dict[str, dict] = {}
        self.lock = allocate_lock()
        self.finished = 0
        self.start_ns = self.end_ns = self.start_cpu_ns = self.end_cpu_ns = 0

    def units(self):
        """Every page, made when it is asked for."""
        for number in range(self.config.requests):
            yield Unit(self, number)

    def begin(self) -> None:
        self.start_ns = self.end_ns = time.monotonic_ns()
        self.start_cpu_ns = self.end_cpu_ns = time.process_time_ns()

    def finish(self, unit: Unit, error: Exception | None) -> None:
        """Counts a unit. The trial's time ends with the last one."""
        with self.lock:
            if error is None:
                self.done.append(unit)
            else:
                first = {"count": 0, "first": text_of(error)}
                self.failures.setdefault(cause_of(error), first)["count"] += 1
            self.finished += 1
            if self.finished == self.config.requests:
                self.end_ns, self.end_cpu_ns = time.monotonic_ns(), time.process_time_ns()

    def digest(self) -> str:
        """SHA-256 of all departures in their order, a line each, as in fetch.go."""

        def order(row):
            page, d = row
            return (page.date, d.departs, page.start, page.end, d.arrives, d.operator, d.cents)

        total = hashlib.sha256()
        for page, d in sorted(((u.page, d) for u in self.done for d in u.departures), key=order):
            values = (
                page.date, page.start, page.end, as_clock(d.departs), as_clock(d.arrives),
                str(d.cents), str(d.seats), d.operator,
            )
            total.update(("\t".join(values) + "\n").encode())
        return total.hexdigest()

    def result(self) -> dict:
        return {
            "units": len(self.done),
            "failures": self.failures,
            "digest": self.digest(),
            "start_ns": self.start_ns,
            "end_ns": self.end_ns,
            "cpu_ns": self.end_cpu_ns - self.start_cpu_ns,
            # tracemalloc sees every allocation.
            "mem_profile_rate": 1 if self.config.profile else 0,
        }


def as_clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


class Gate:
    """The two pipes to weft."""

    def __init__(self):
        self.words = os.fdopen(3, "r", encoding="ascii")
        self.out = os.fdopen(4, "wb")
        self.lock = allocate_lock()  # an answer to heap and done share the pipe

    def hear(self) -> str:
        """The next word. Without weft nobody waits for the work: the process ends."""
        line = self.words.readline()
        if not line.endswith("\n"):
            os._exit(EXIT_ORPHAN)
        return line.rstrip("\n")

    def say(self, word: str, value=None, data: bytes = b"") -> None:
        line = word if value is None else f"{word} {json.dumps(value)}"
        with self.lock:
            try:
                self.out.write(line.encode() + b"\n" + data)
                self.out.flush()
            except BrokenPipeError:
                os._exit(EXIT_ORPHAN)

    def listen(self) -> None:
        """Answers until weft lets the child go."""
        word = self.hear()
        while word != "exit":
            if word == "heap":
                answer = weft_heap.stacks()
                if answer is None:
                    self.say("heap", 0)
                else:
                    text = json.dumps(answer).encode()
                    self.say("stacks", len(text), text)
            word = self.hear()


def cannot_start(kind, error, traceback) -> None:
    """Says why there is no work: a library that cannot be imported, a bad configuration."""
    sys.__excepthook__(kind, error, traceback)
    gate.say("failed", {"error": text_of(error)})
    os._exit(EXIT_FAILED)


def main(work) -> None:
    """Takes work through the gate, once."""
    config = Config(sys.argv[-1])
    trial = Trial(config)
    # A Python process keeps the soft limit of open files that it finds; a Go one raises it.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if config.profile:
        global weft_heap
        import weft_heap  # so that tracemalloc is in the memory of traced trials only
        weft_heap.start()
    sys.excepthook = sys.__excepthook__
    gate.say("ready")
    if gate.hear() != "go":
        os._exit(EXIT_ORPHAN)
    listening = allocate_lock()
    if config.profile:
        # Another thread answers while work waits; in other trials there is none.
        listening.acquire()
        start_new_thread(listen_until_exit, (listening,))
    trial.begin()
    if config.requests:
        work(trial)
    gate.say("done", trial.result())
    if config.profile:
        listening.acquire()
    else:
        gate.listen()
    os._exit(0)  # the interpreter takes 40 ms to leave in good order, which nobody waits for


def listen_until_exit(listening) -> None:
    gate.listen()
    listening.release()


gate = Gate()
sys.excepthook = cannot_start
