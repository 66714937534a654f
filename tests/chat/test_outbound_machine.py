"""Outbound under any order of calls: nothing is lost or reordered, and legacy links are paced."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.codec import encode
from p2pchat.chat.messages import Ack, Bye, HelloOk, Message, Ping, Pong, Pub, Send
from p2pchat.chat.outbound import BATCH_BYTES, GAP, GAP_AFTER_HELLO_OK, Outbound
from p2pchat.errors import QueueFullError

MAX_MESSAGES = 4
MAX_BYTES = 600
ANSWER_TIMEOUT = 5.0


class OutboundModel(RuleBasedStateMachine):
    """Three plain lists: what was put first, the replies and the messages, each in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.serial = 0
        self.first: list[Message] = []
        self.replies: list[Message] = []
        self.messages: list[Message] = []
        self.left = False
        self.last: Message | None = None
        self.last_at = 0.0
        self.answer_came = False

    @initialize(pipelined=st.booleans(), is_open=st.booleans())
    def begin(self, pipelined: bool, is_open: bool) -> None:
        self.queue = Outbound(
            max_messages=MAX_MESSAGES, max_bytes=MAX_BYTES, answer_timeout=ANSWER_TIMEOUT
        )
        self.queue.pipelined = pipelined
        self.queue.open = is_open
        #: Whether publications may leave.
        self.takes_pub = pipelined

    def new_id(self) -> str:
        self.serial += 1
        return str(self.serial)

    @rule(data=st.data())
    def withdraws(self, data: st.DataObject) -> None:
        waiting = [message.msg_id for message in self.messages if isinstance(message, Send)]
        msg_id = data.draw(st.sampled_from([*waiting, "not there"]))
        assert self.queue.withdraw(msg_id) == (msg_id in waiting)
        self.messages = [message for message in self.messages if message.msg_id != msg_id]

    @precondition(lambda self: not self.left)
    @rule(kind=st.sampled_from([Send, Pub]), size=st.integers(0, 300), wants_ack=st.booleans())
    def puts(self, kind: type[Send] | type[Pub], size: int, wants_ack: bool) -> None:
        message = kind(self.new_id(), payload="x" * size, require_ack=wants_ack)
        try:
            self.queue.put(message)
        except QueueFullError:
            assert len(self.messages) >= MAX_MESSAGES or self.size_with(message) > MAX_BYTES
        else:
            assert len(self.messages) < MAX_MESSAGES
            assert self.size_with(message) <= MAX_BYTES
            self.messages.append(message)

    def size_with(self, message: Message) -> int:
        return sum(len(encode(waiting)) for waiting in [*self.messages, message])

    @rule(kind=st.sampled_from([Ack, Pong]))
    def replies_to(self, kind: type[Ack] | type[Pong]) -> None:
        self.replies.append(kind(self.new_id()))
        self.queue.reply(self.replies[-1])

    @rule(count=st.integers(0, 3))
    def acknowledges(self, count: int) -> None:
        acks = [Ack(self.new_id(), "now") for _ in range(count)]
        self.replies += acks
        self.queue.acknowledge([ack.msg_id for ack in acks], "now")

    @precondition(lambda self: not self.left)
    @rule(ping=st.booleans())
    def puts_first(self, ping: bool) -> None:
        self.first.append(Ping(self.new_id()) if ping else HelloOk("alice@CIC"))
        self.queue.put_first(self.first[-1])

    @rule()
    def opens(self) -> None:
        self.queue.open = True

    @rule()
    def learns(self) -> None:
        self.queue.learn()
        self.takes_pub = True

    @precondition(lambda self: not self.left)
    @rule()
    def finishes(self) -> None:
        self.left = True
        self.messages.clear()
        self.replies.append(Bye(self.new_id()))
        self.queue.finish(self.replies[-1])
        self.first = [message for message in self.first if not isinstance(message, Ping)]

    @rule(right=st.booleans())
    def is_answered(self, right: bool) -> None:
        if right and isinstance(self.last, Ping | Send):
            self.answer_came = True
            self.queue.answered(self.last.msg_id)
        else:
            self.queue.answered("other")

    @rule(seconds=st.sampled_from([0.0, 0.001, GAP, 0.05, GAP_AFTER_HELLO_OK, 1.0, ANSWER_TIMEOUT]))
    def takes(self, seconds: float) -> None:
        self.now += seconds
        data = b"".join(lines for _, lines in self.queue.take(self.now))
        taken = []
        for line in data.splitlines(keepends=True):
            taken.append(self.next_in_order()[0])
            assert line == encode(taken[-1])
            for waiting in (self.first, self.replies, self.messages):
                waiting[:] = [message for message in waiting if message is not taken[-1]]
        if not self.queue.pipelined:
            self.check_paced(taken)
        elif self.next_in_order():
            assert len(data) >= BATCH_BYTES

    def next_in_order(self) -> list[Message]:
        """Return the messages of which the first must leave next; none if none may."""
        if self.first:
            return self.first
        if not self.queue.open:
            return []
        return self.replies or [
            message for message in self.messages if self.takes_pub or not isinstance(message, Pub)
        ]

    def check_paced(self, batch: list[Message]) -> None:
        assert len(batch) <= 1, "two lines in one write to a legacy peer"
        if batch:
            assert self.now >= self.last_at + self.pause() - 1e-9
            self.last, self.last_at, self.answer_came = batch[0], self.now, False
        elif self.next_in_order():
            assert self.now < self.last_at + self.pause() + 1e-9, "it waits without reason"

    def pause(self) -> float:
        """Return how long after the last message nothing may leave."""
        if self.last is None:
            return 0.0
        if isinstance(self.last, HelloOk):
            return GAP_AFTER_HELLO_OK
        if isinstance(self.last, Ping) or (isinstance(self.last, Send) and self.last.require_ack):
            if self.answer_came:
                return 0.0
            return GAP if self.left else ANSWER_TIMEOUT
        return GAP

    @invariant()
    def counts_agree(self) -> None:
        if hasattr(self, "queue"):
            assert len(self.queue) == len(self.messages) <= MAX_MESSAGES
            assert self.queue.replies == len(self.replies)

    @invariant()
    def wakes_when_something_may_leave(self) -> None:
        if hasattr(self, "queue"):
            assert (self.queue.wake_at() is None) == (not self.next_in_order())


class OutboundMachine(SynchronousTestCase):
    def test_nothing_is_lost_or_reordered_and_the_pace_is_kept(self) -> None:
        run_state_machine_as_test(
            OutboundModel,
            settings=settings(deadline=None, max_examples=60, stateful_step_count=30),
        )
