"""What a progress display counts: trials of one stage by loss and state."""

from dataclasses import dataclass, field

STATES = ("complete", "pruned", "failed")


@dataclass(kw_only=True)
class Running:
    """A trial that runs."""

    loss: str
    """Its loss's name in the recipe."""
    worker: str | None = None
    """Where it runs."""
    epoch: int = 0
    """Epochs done."""
    epochs: int = 0
    """Epochs planned; 0 while unknown."""
    score: float | None = None
    """At the last epoch."""


@dataclass(kw_only=True)
class LossCounts:
    """The trials of one loss."""

    planned: int
    """How many there will be."""
    states: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    """Ended trials by state."""
    scores: dict[str, float] = field(default_factory=dict)
    """Scores of complete and pruned trials by trial."""

    @property
    def num_ended(self) -> int:
        """Trials that are over."""
        return sum(self.states.values())

    @property
    def best(self) -> tuple[str, float] | None:
        """The best trial and its score."""
        return max(self.scores.items(), key=lambda item: item[1]) if self.scores else None

    @property
    def mean(self) -> float | None:
        """The mean score."""
        return sum(self.scores.values()) / len(self.scores) if self.scores else None


@dataclass(kw_only=True)
class Counts:
    """One stage."""

    title: str
    """search or finalists."""
    planned: dict[str, int]
    """Trials of each loss."""
    begin: float
    """When the stage began, on the display's clock."""
    summary: str = "best"
    """A loss's one score: of its best trial, or the mean over its trials."""
    losses: dict[str, LossCounts] = field(init=False)
    """By loss."""
    running: dict[str, Running] = field(default_factory=dict)
    """By trial."""
    last_error: tuple[str, str] | None = None
    """Trial and reason of the last failure."""
    any_started: bool = False
    """Whether a trial of this stage has started since the display began."""
    _seen_here: int = 0

    def __post_init__(self) -> None:
        self.losses = {loss: LossCounts(planned=number) for loss, number in self.planned.items()}

    def start(self, trial_id: str, loss: str, worker: str | None) -> None:
        """A trial runs."""
        self._of(loss)
        self.any_started = True
        self.running[trial_id] = Running(loss=loss, worker=worker)

    def measure(self, trial_id: str, epoch: int, epochs: int, score: float | None) -> None:
        """A trial went on."""
        running = self.running.setdefault(trial_id, Running(loss=self._loss_of(trial_id)))
        running.epoch, running.epochs, running.score = epoch, epochs, score

    def end(self, trial_id: str, state: str, score: float | None, reason: str | None, loss: str | None) -> None:
        """A trial is over."""
        running = self.running.pop(trial_id, None)
        self._seen_here += running is not None
        counts = self._of(loss or (running.loss if running else self._loss_of(trial_id)))
        counts.states[state] += 1
        if state == "failed":
            self.last_error = (trial_id, reason or "no reason given")
        elif score is not None:
            counts.scores[trial_id] = score

    @property
    def num_planned(self) -> int:
        """Trials of the stage."""
        return sum(counts.planned for counts in self.losses.values())

    @property
    def num_ended(self) -> int:
        """Trials that are over."""
        return sum(counts.num_ended for counts in self.losses.values())

    @property
    def num_failed(self) -> int:
        """Trials that failed."""
        return sum(counts.states["failed"] for counts in self.losses.values())

    def seconds_left(self, now: float) -> float | None:
        """What the rest will take if it goes on as since the stage began; None before anything is known."""
        partial = sum(running.epoch / running.epochs for running in self.running.values() if running.epochs)
        done_here = self._seen_here + partial
        if not done_here:
            return None
        return max(self.num_planned - self.num_ended - partial, 0) * (now - self.begin) / done_here

    def _of(self, loss: str) -> LossCounts:
        return self.losses.setdefault(loss, LossCounts(planned=0))

    def _loss_of(self, trial_id: str) -> str:
        """The loss of a trial never seen to start: the longest name the trial's id begins with."""
        names = [loss for loss in self.losses if trial_id.startswith(f"{loss}-")]
        return max(names, key=len, default=trial_id.rpartition("-")[0] or trial_id)
