"""An executor in a time of its own, and an observer that writes down what it sees."""

from dataclasses import dataclass, field

from optunasearch.execution._records import FoldResult, TaskDone


@dataclass
class Workers:
    """An executor whose tasks take the time that `seconds(number, fold)` says."""

    n_workers: int = 1
    seconds: object = lambda number, fold: 1.0
    # What becomes of a task if not its results: outcome(task) or None.
    ending: object = lambda task: None
    now: float = 100.0
    tasks: list = field(default_factory=list)
    killed: list = field(default_factory=list)
    expected: list = field(default_factory=list)
    most_at_once: int = 0
    # Whether one more task may wait for a worker.
    queues: bool = False

    def __post_init__(self):
        self._running = []

    def clock(self):
        return self.now

    @property
    def has_room_behind(self):
        return self.queues and len(self._running) == self.n_workers

    @property
    def has_room(self):
        return len(self._running) < self.n_workers

    @property
    def running(self):
        return list(self._running)

    def submit(self, task):
        assert self.has_room or self.has_room_behind
        self._running.append((task, self.now))
        self.tasks.append(task)
        self.most_at_once = max(self.most_at_once, len(self._running))

    def wait(self, timeout):
        assert self._running
        assert timeout is None or timeout > 0
        first = min(self._running, key=self._end)
        if timeout is not None and self.now + timeout < self._end(first):
            self.now += timeout
            return []
        self.now = max(self.now, self._end(first))
        self._running.remove(first)
        return [self.ending(first[0]) or TaskDone(first[0], self._results(first[0]))]

    def expect(self, seconds):
        self.expected.append(seconds)

    def kill(self, task):
        self._running = [(t, since) for t, since in self._running if t is not task]
        self.killed.append((task.number, task.folds, self.now))

    def _end(self, running):
        task, since = running
        return since + sum(self.seconds(task.number, fold) for fold in task.folds)

    def _results(self, task):
        return tuple(
            FoldResult(fold, 1.0, None, self.seconds(task.number, fold), 0.0, 1)
            for fold in task.folds
        )


class Witness:
    """An observer that writes down what it sees, and stops after some trials."""

    def __init__(self, stop_after=None):
        self.events = []
        self.stop_after = stop_after

    def task_starts(self, task):
        return task

    def task_lost(self, task):
        self.events.append(("lost", task.number, task.folds))

    def fold_ended(self, record, result):
        self.events.append(("fold", record.number, result.fold))

    def trial_ended(self, record):
        self.events.append(("trial", record.number))
        return self.numbers("trial")[-1] + 1 == self.stop_after

    def trial_left(self, record):
        self.events.append(("left", record.number))

    def numbers(self, kind):
        return [event[1] for event in self.events if event[0] == kind]
