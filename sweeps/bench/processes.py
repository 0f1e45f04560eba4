"""A timer that lives in a process of its own and works when asked, so that two forms share nothing but the machine."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Self

from sweeps.bench.pairs import Timer


class TimerProcess:
    """Called, it runs `build(*arguments)()` once in its process and returns the seconds.

    A context manager: the process starts on entry and has ended on exit. `build` must be a function of a module, `arguments` picklable.
    """

    def __init__(self, build: Callable[..., Timer], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads and a GPU's context
        self._connection, child = context.Pipe()
        self._process = context.Process(target=_serve, args=(child, build, arguments), daemon=True)
        self._child = child

    def __enter__(self) -> Self:
        self._process.start()
        self._child.close()
        return self

    def __call__(self) -> float:
        """Seconds of one run. RuntimeError, with the child's words, when it failed there."""
        try:
            self._connection.send(True)
            answer = self._connection.recv()
        except (EOFError, BrokenPipeError):
            self._process.join()
            raise RuntimeError(f"the process of a benchmarked form ended with exit code {self._process.exitcode}") from None
        seconds, problem = answer
        if problem:
            raise RuntimeError(f"a benchmarked form failed: {problem}")
        return seconds

    def __exit__(self, *exception: object) -> None:
        self._connection.close()
        self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()


def _serve(connection: Connection, build: Callable[..., Timer], arguments: tuple[Any, ...]) -> None:
    timer = None
    while True:
        try:
            connection.recv()
        except EOFError:
            return
        try:
            timer = timer or build(*arguments)
            connection.send((timer(), None))
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the process that asked
            connection.send((None, f"{type(error).__name__}: {error}"))
