"""One attacker, many names."""

from itertools import count

from tests.hostile.attack import Attack, hello, send
from tests.hostile.crowd import Member
from tests.integration.programs import HERE


class HelloFlood(Attack):
    """Hundreds of new names a second: HELLO, a text, and away without a word once it is ACKed."""

    name = "hello-flood"
    at_a_time = 20

    def prepare(self) -> None:
        self._numbers = count()
        self._names: dict[Member, str] = {}

    def step(self) -> None:
        for _ in range(self.at_a_time - len(self.crowd.members)):
            self._join(f"name{next(self._numbers)}")
        for member, line in self.crowd.lines(0.02):
            if b'"HELLO_OK"' in line:
                self.crowd.say(member, send("one", "nice to meet you"))
            elif b'"ACK"' in line:
                self.tally.accepted.append((f"{self._names.pop(member)}@CIC", "one"))
                self.crowd.leave(member, abruptly=True)

    def _join(self, name: str) -> None:
        member = self.crowd.join(HERE, self.target.chat, "127.66.3.1", first=hello(name))
        if member is not None:
            self._names[member] = name
