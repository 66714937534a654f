"""What waits to be written on one link: in order, bounded, with the pauses legacy programs need.

To our own kind everything is written as fast as the transport takes it. Of the deployed programs,
three of four lose or choke on a second line in the same read, so a legacy link gets one line a
write and stop-and-wait (docs/protocols.md, 2.2):

========================  =====================================================
after                     nothing more until
========================  =====================================================
HELLO                     HELLO_OK came
HELLO_OK                  100 ms later
SEND that wants an ACK    its ACK, or `answer_timeout`
PING                      its PONG, or `answer_timeout`
anything else             5 ms later
========================  =====================================================

One deployed program dies of PUB and gets a SEND in its place (2.10). It shows itself by its first
PONG or PING. Until one came publications wait, and everything else passes them; that is bounded, as
a link without PONGs does not last. What one link learns of that program is known to its other ones.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from p2pchat.chat.codec import encode, encode_acks
from p2pchat.chat.messages import Ack, Bye, ByeOk, HelloOk, Message, Ping, Pub, Send
from p2pchat.errors import QueueFullError

#: Pauses on a legacy link, in seconds.
GAP = 0.005
GAP_AFTER_HELLO_OK = 0.1

#: A write to a modern link joins at most about this many bytes.
BATCH_BYTES = 65536

#: On a legacy link a message of ours has its turn behind so many replies: who asks a lot must not
#: keep us from speaking.
MAX_REPLIES_IN_A_ROW = 16

Outgoing = tuple[Message, bytes]


@dataclass(eq=False, slots=True)
class Habits:
    """What all links to one legacy program share: what one of them has learned of it.

    `pub_as_send_to`: its id, if it is the program that must not be sent a PUB.
    """

    pub_as_send_to: str = ""


class Outbound:
    """The queue of one link.

    `max_messages` and `max_bytes` bound what put() accepts; answer_timeout is in seconds. Nothing
    but what was put `first` leaves before `open` is set.
    """

    def __init__(self, *, max_messages: int, max_bytes: int, answer_timeout: float) -> None:
        self.pipelined = False
        self.habits = Habits()
        self.open = False
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._answer_timeout = answer_timeout
        self._first: deque[Outgoing] = deque()
        #: To our own kind many ACKs are one entry.
        self._replies: deque[Outgoing] = deque()
        self._reply_count = 0
        self._replies_in_a_row = 0
        self._messages: deque[Outgoing] = deque()
        #: Publications that wait until it is known what they do to their reader.
        self._held: deque[Outgoing] = deque()
        self._knows_program = False
        self._bytes = 0
        self._gap_until = 0.0
        self._quiet_until = 0.0
        self._awaited = ""
        self._leaving = False

    def __len__(self) -> int:
        """Count the messages that wait, replies not counted."""
        return len(self._messages) + len(self._held)

    @property
    def replies(self) -> int:
        """Count the replies that wait; whoever reads must stop when the other side does not."""
        return self._reply_count

    def share(self, habits: Habits) -> None:
        """Share these habits with other links, and add to them what is known here."""
        habits.pub_as_send_to = habits.pub_as_send_to or self.habits.pub_as_send_to
        self.habits = habits

    def learn(self, *, pub_as_send_to: str | None = None) -> None:
        """Note that the program has shown itself; with its id if it dies of PUB."""
        self._knows_program = True
        self.habits.pub_as_send_to = pub_as_send_to or self.habits.pub_as_send_to

    def put(self, message: Message, line: bytes | None = None) -> None:
        """Queue a message behind all others; `line` is the message, if it is encoded already.

        Raises QueueFullError beyond the bounds, LocalProtocolError if it cannot be sent at all.
        """
        line = encode(message) if line is None else line
        if len(self) >= self._max_messages or self._bytes + len(line) > self._max_bytes:
            raise QueueFullError(
                f"{len(self)} messages ({self._bytes} bytes) wait to be sent already"
            )
        self._messages.append((message, line))
        self._bytes += len(line)

    def reply(self, message: Message) -> None:
        """Queue a reply: ahead of the messages, behind other replies, not counted in the bounds."""
        self._replies.append((message, encode(message)))
        self._reply_count += 1

    def acknowledge(self, msg_ids: Iterable[str], timestamp: str) -> None:
        """Queue the ACKs of several SENDs, as replies."""
        acks = [Ack(msg_id, timestamp) for msg_id in msg_ids]
        if self.pipelined and acks:
            self._replies.append((acks[-1], encode_acks(acks)))
            self._reply_count += len(acks)
        else:
            for ack in acks:
                self.reply(ack)

    def put_first(self, message: Message) -> None:
        """Queue a message of the handshake, a PING or a BYE before everything else."""
        self._first.append((message, encode(message)))

    def withdraw(self, msg_id: str) -> bool:
        """Take out a SEND that waits; False if none does under this id."""
        for at, (message, line) in enumerate(self._messages):
            if isinstance(message, Send) and message.msg_id == msg_id:
                del self._messages[at]
                self._bytes -= len(line)
                return True
        return False

    def drop_messages(self) -> None:
        """Let only replies leave: the messages that still wait go nowhere."""
        self._messages.clear()
        self._held.clear()
        self._bytes = 0

    def finish(self, last: Bye | ByeOk) -> None:
        """Queue the last message, behind the replies; messages and PINGs that wait are dropped."""
        self._first = deque(one for one in self._first if not isinstance(one[0], Ping))
        self.reply(last)
        self.drop_messages()
        self._leaving = self.open = True

    def answered(self, msg_id: str) -> None:
        """Note that the other side answered a SEND or a PING."""
        if self._awaited and msg_id == self._awaited:
            self._awaited = ""
            self._gap_until = self._quiet_until = 0.0

    def take(self, now: float) -> list[Outgoing]:
        """Return what is to be written now, in one write; nothing while a pause lasts."""
        if self.pipelined:
            return self._take_batch()
        if now < self._pause_end():
            return []
        self._hold_publications()
        outgoing = self._take_one()
        if outgoing is None:
            return []
        self._pause_after(outgoing[0], now)
        return [outgoing]

    def wake_at(self) -> float | None:
        """Return when take() is worth another try, or None if nothing waits."""
        self._hold_publications()
        if self._first or ((self._replies or self._messages) and self.open):
            return self._pause_end()
        return None

    def _hold_publications(self) -> None:
        """Set those aside that must not have their turn yet, or have them wait in line again."""
        if self.pipelined or self._knows_program or self.habits.pub_as_send_to:
            self._messages.extendleft(reversed(self._held))
            self._held.clear()
            return
        while self._messages and isinstance(self._messages[0][0], Pub):
            self._held.append(self._messages.popleft())

    def _pause_end(self) -> float:
        # a goodbye waits for no answer, but shares no segment either
        return self._gap_until if self._leaving else self._quiet_until

    def _take_batch(self) -> list[Outgoing]:
        batch = list(self._first)
        self._first.clear()
        if not self.open:
            return batch
        # all replies at once: their number is bounded by what their reader lets us read
        batch.extend(self._replies)
        self._replies.clear()
        self._reply_count = 0
        size = 0
        while self._messages and size < BATCH_BYTES:
            message, line = self._next_message()
            batch.append((message, line))
            size += len(line)
        return batch

    def _take_one(self) -> Outgoing | None:
        if self._first:
            return self._first.popleft()
        if not self.open:
            return None
        if self._replies and (self._replies_in_a_row < MAX_REPLIES_IN_A_ROW or not self._messages):
            self._reply_count -= 1
            self._replies_in_a_row += 1
            return self._replies.popleft()
        self._replies_in_a_row = 0
        return self._next_message() if self._messages else None

    def _next_message(self) -> Outgoing:
        message, line = self._messages.popleft()
        self._bytes -= len(line)
        if self.habits.pub_as_send_to and isinstance(message, Pub):
            message = _as_send(message, self.habits.pub_as_send_to)
            line = encode(message)
        return message, line

    def _pause_after(self, message: Message, now: float) -> None:
        gap = GAP_AFTER_HELLO_OK if isinstance(message, HelloOk) else GAP
        self._awaited = ""
        self._gap_until = self._quiet_until = now + gap
        if isinstance(message, Ping) or (isinstance(message, Send) and message.require_ack):
            self._awaited = message.msg_id
            self._quiet_until = now + self._answer_timeout


def _as_send(pub: Pub, peer: str) -> Send:
    """Wrap a publication for the program that dies of PUB (2.10)."""
    return Send(pub.msg_id, pub.src, peer, f"[{pub.dst}] {pub.payload}", require_ack=False)
