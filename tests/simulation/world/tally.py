"""What all outcomes of a run come to."""

from time import monotonic

from tests.simulation.world.running import Outcome


class Tally:
    """Sums, which print themselves as one line."""

    def __init__(self) -> None:
        self._began = monotonic()
        self._seeds = self._failed = 0
        self._seconds = 0.0
        self._fullest: dict[str, float] = {}
        self._messages = self._chats = self._crashes = self._partitions = self._violations = 0

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self._seeds += 1
        self._failed += bool(outcome.violations)
        self._seconds += outcome.seconds
        self._messages += outcome.messages
        self._chats += outcome.chats
        self._crashes += outcome.crashes
        self._partitions += outcome.partitions
        self._violations += len(outcome.violations)
        for what, share in outcome.fullest.items():
            self._fullest[what] = max(share, self._fullest.get(what, 0.0))

    def fullest(self) -> str:
        """Tell which queues came to half of their bounds at least."""
        full = sorted(((-share, what) for what, share in self._fullest.items() if share >= 0.5))
        return "fullest: " + ", ".join(f"{what} {-share:.0%}" for share, what in full)

    def __str__(self) -> str:
        speed = self._seconds / max(monotonic() - self._began, 1e-9)
        return (
            f"{self._seeds} seeds, {self._seconds / 3600:.1f} simulated hours, "
            f"{self._messages} messages, {self._chats} chats, {self._crashes} crashes, "
            f"{self._partitions} partitions: {self._violations} violations in {self._failed} "
            f"seeds; {speed:.0f} simulated seconds a second"
        )
