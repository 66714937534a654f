"""Deliveries under any order of events: each message ends exactly once, and at the right time."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.delivery import Deliveries, Delivery
from p2pchat.chat.messages import Send
from p2pchat.errors import QueueFullError
from p2pchat.identity import PeerId

PEERS = [PeerId("bob@CIC"), PeerId("eve@CIC")]
LINKS = ["first link", "second link"]
TIMEOUT = 5.0
LIMIT = 5


@dataclass
class Sent:
    """The model of one message."""

    peer: PeerId
    delivery: Delivery
    stage: str = "waiting"
    link: str = ""
    deadline: float | None = None
    written: bool = False
    end: str = ""
    late: bool = False

    @property
    def living(self) -> bool:
        return not self.end


class DeliveriesModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.deliveries = Deliveries(TIMEOUT, LIMIT)
        self.all: dict[str, Sent] = {}

    @property
    def living(self) -> list[Sent]:
        return [sent for sent in self.all.values() if sent.living]

    def pick(self, data: st.DataObject, among: list[Sent]) -> Sent | None:
        return data.draw(st.sampled_from(among)) if among else None

    @rule(peer=st.sampled_from(PEERS))
    def adds(self, peer: PeerId) -> None:
        message = Send(str(len(self.all)))
        try:
            delivery = self.deliveries.add(peer, message, self.now)
        except QueueFullError:
            assert len(self.living) == LIMIT
            return
        assert len(self.living) < LIMIT
        self.all[message.msg_id] = Sent(peer, delivery, deadline=self.now + TIMEOUT)

    @rule(data=st.data(), link=st.sampled_from(LINKS))
    def queues(self, data: st.DataObject, link: str) -> None:
        sent = self.pick(data, [sent for sent in self.living if sent.stage == "waiting"])
        if sent is not None:
            self.deliveries.queued(sent.delivery, link)
            sent.stage, sent.link, sent.deadline = "queued", link, None

    @rule(data=st.data())
    def writes(self, data: st.DataObject) -> None:
        sent = self.pick(data, [sent for sent in self.living if sent.stage == "queued"])
        if sent is not None:
            told = self.deliveries.written(sent.delivery.message.msg_id, self.now)
            assert (told is sent.delivery) != sent.written, "told the first time only"
            sent.stage, sent.written, sent.deadline = "sent", True, self.now + TIMEOUT

    @rule(data=st.data(), peer=st.sampled_from(PEERS))
    def is_acknowledged(self, data: st.DataObject, peer: PeerId) -> None:
        sent = self.pick(data, list(self.all.values()))
        if sent is None:
            return
        told = self.deliveries.acknowledged(peer, sent.delivery.message.msg_id)
        assert told == (peer == sent.peer and (sent.living or sent.late))
        if told:
            sent.end, sent.late = "delivered", False

    @rule(link=st.sampled_from(LINKS))
    def loses(self, link: str) -> None:
        self.deliveries.link_lost(link, self.now)
        for sent in self.living:
            if sent.link == link and sent.stage != "waiting":
                sent.stage, sent.deadline = "waiting", self.now + TIMEOUT

    @rule(seconds=st.sampled_from([0.0, 0.5, 2.0, 4.999, TIMEOUT]))
    def expires(self, seconds: float) -> None:
        self.now += seconds
        expired = self.deliveries.expire(self.now)
        due = [s for s in self.living if s.deadline is not None and s.deadline <= self.now]
        assert sorted(d.message.msg_id for d in expired) == sorted(
            sent.delivery.message.msg_id for sent in due
        )
        for sent in due:
            sent.end, sent.late = "failed", sent.stage == "sent"

    @rule(data=st.data())
    def withdraws(self, data: st.DataObject) -> None:
        sent = self.pick(data, [sent for sent in self.living if sent.stage == "waiting"])
        if sent is not None:
            self.deliveries.withdraw(sent.delivery)
            sent.end = "withdrawn"

    @rule(sure=st.integers(0, 9))
    def abandons(self, sure: int) -> None:
        if sure == 0:
            assert self.deliveries.abandon() == [sent.delivery for sent in self.living]
            for sent in self.living:
                sent.end = "abandoned"

    @invariant()
    def agrees(self) -> None:
        assert len(self.deliveries) == len(self.living) <= LIMIT
        for peer in PEERS:
            waiting = [s.delivery for s in self.living if (s.peer, s.stage) == (peer, "waiting")]
            assert self.deliveries.waiting(peer) == waiting
        deadlines = [sent.deadline for sent in self.living if sent.deadline is not None]
        assert self.deliveries.next_deadline() == min(deadlines, default=None)


class DeliveriesMachine(SynchronousTestCase):
    def test_each_message_ends_exactly_once(self) -> None:
        run_state_machine_as_test(
            DeliveriesModel,
            settings=settings(deadline=None, max_examples=60, stateful_step_count=30),
        )
