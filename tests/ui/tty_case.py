"""The console on a terminal, with a prompt that only notes what it is told."""

from datetime import UTC

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.ui.prompt import Scene
from p2pchat.ui.styled import plain
from p2pchat.ui.tty import TtyConsole
from tests.ui.fakes import NOON, FakeNode, ThreadedClock


class FakePrompt:
    """Notes lines and scenes, and what is done to it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.lines: list[str] = []
        self.scene = Scene()
        self.takes = True

    def start(self, listener) -> None:
        self.calls.append("start")

    def print(self, line) -> bool:
        if self.takes:
            self.lines.append(plain(line))
        return self.takes

    def show(self, scene) -> None:
        self.scene = scene

    def close(self) -> None:
        self.calls.append("close")

    def restore(self) -> None:
        self.calls.append("restore")

    def above(self) -> list[str]:
        return [plain(line) for line in self.scene.above]


class TtyCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = ThreadedClock()
        self.node = FakeNode("bob@CIC")
        self.prompt = FakePrompt()
        self.time = NOON
        self.console = TtyConsole(self.reactor, self.node, self.prompt, lambda: self.time, UTC)
        self.console.startService()
        self.reactor.run_until(lambda: self.prompt.calls)

    def enter(self, text: str) -> None:
        done = []
        self.console.line_entered(text)
        self.reactor.callFromThread(done.append, True)
        self.reactor.run_until(lambda: done)

    def shown(self) -> list[str]:
        """The lines printed since the last call."""
        lines, self.prompt.lines = self.prompt.lines, []
        return lines
