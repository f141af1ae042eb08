"""Threads of which one at a time runs: at every pause a drawn number says who goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field


@dataclass
class Baton:
    """Whoever holds it runs; ``order`` names who is next at each pause, and then nobody changes."""

    order: Iterable[int]
    _turns: list[threading.Semaphore] = field(init=False, default_factory=list)
    _running: set[int] = field(init=False, default_factory=set)
    _errors: list[BaseException] = field(init=False, default_factory=list)

    def run(self, tasks: Sequence[Callable[[], object]]) -> None:
        """Run all tasks to their end.

        Raises:
            BaseException: what the first task raised that failed.
        """
        self._order = iter(self.order)
        self._turns = [threading.Semaphore(0) for _ in tasks]
        self._running = set(range(len(tasks)))
        threads = [
            threading.Thread(target=self._one, args=(number, task), daemon=True)
            for number, task in enumerate(tasks)
        ]
        for thread in threads:
            thread.start()
        self._turns[0].release()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def pause(self, me: int) -> None:
        """Let somebody else go on, if it is their turn."""
        whose = next(self._order, me)
        if whose != me and whose in self._running:
            self._turns[whose].release()
            self._turns[me].acquire()

    def _one(self, number: int, task: Callable[[], object]) -> None:
        self._turns[number].acquire()
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - raised again where the tasks were started
            self._errors.append(error)
        finally:
            self._running.discard(number)
            for other in sorted(self._running)[:1]:
                self._turns[other].release()
