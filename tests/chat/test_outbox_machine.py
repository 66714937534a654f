"""The outbox under any order of events: each letter is tried when it is due, and ends once."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.messages import Send
from p2pchat.chat.outbox import Letter, Outbox
from p2pchat.identity import PeerId

#: Peers, and whether they are of another kind than ours.
PEERS = {PeerId("bob@CIC"): False, PeerId("old@CIC"): True}
LINKS = ["first link", "second link"]
TIMEOUT = 5.0
RETRIES = 1
MAX_AGE = timedelta(seconds=60)
START = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass
class Model:
    """What is known of one letter; `due` is when it may be written again, None: not on its link."""

    letter: Letter
    stage: str = "waiting"
    link: str = ""
    due: float | None = 0.0
    deadline: float = 0.0
    attempts: int = 0
    end: str = ""

    @property
    def legacy(self) -> bool:
        return PEERS[self.letter.peer]

    @property
    def exhausted(self) -> bool:
        return self.legacy and self.attempts > RETRIES and self.stage == "waiting"

    def may_be_handed_over(self, now: float) -> bool:
        due = self.due is not None and self.due <= now
        return not self.end and self.stage == "waiting" and due and not self.exhausted


class OutboxModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.outbox = Outbox(TIMEOUT, MAX_AGE, RETRIES)
        self.all: dict[str, Model] = {}

    @property
    def living(self) -> list[Model]:
        return [model for model in self.all.values() if not model.end]

    def in_stage(self, stage: str) -> list[Model]:
        return [model for model in self.living if model.stage == stage]

    @rule(peer=st.sampled_from(list(PEERS)))
    def adds(self, peer: PeerId) -> None:
        number = len(self.all)
        queued_at = START + timedelta(seconds=self.now)
        letter = Letter(number, peer, Send(str(number)), queued_at)
        self.outbox.add(letter)
        self.all[letter.msg_id] = Model(letter)

    @rule(peer=st.sampled_from(list(PEERS)), link=st.sampled_from(LINKS), room=st.integers(0, 4))
    def hands_over(self, peer: PeerId, link: str, room: int) -> None:
        self.looks(0.0)
        expected = [
            m for m in self.living if m.letter.peer == peer and m.may_be_handed_over(self.now)
        ]
        for model in expected[:room]:
            letter = self.outbox.next_ready(peer, legacy=PEERS[peer])
            assert letter is model.letter, "in the order of storing"
            self.outbox.queued(letter, link)
            model.stage, model.link = "queued", link
        rest = [model.letter for model in expected[room:]] or [None]
        assert self.outbox.next_ready(peer, legacy=PEERS[peer]) is rest[0]

    @rule(link=st.sampled_from(LINKS), count=st.integers(1, 4))
    def takes_back(self, link: str, count: int) -> None:
        queued = [model for model in self.in_stage("queued") if model.link == link]
        standing = self.outbox.queued_on(link)
        assert {letter.msg_id for letter in standing} == {m.letter.msg_id for m in queued}
        for letter in standing[:count]:
            assert self.outbox.is_queued(letter.msg_id)
            self.outbox.taken_back(letter)
            assert not self.outbox.is_queued(letter.msg_id)
            model = self.all[letter.msg_id]
            model.stage, model.link, model.due = "waiting", "", 0.0

    @rule(count=st.integers(1, 4))
    def writes(self, count: int) -> None:
        for model in self.in_stage("queued")[:count]:
            assert self.outbox.written(model.letter.msg_id, self.now) is model.letter
            model.stage, model.deadline = "sent", self.now + TIMEOUT
            model.attempts += 1

    @rule(data=st.data(), peer=st.sampled_from(list(PEERS)))
    def is_acknowledged(self, data: st.DataObject, peer: PeerId) -> None:
        if not self.all:
            return
        model = data.draw(st.sampled_from(list(self.all.values())))
        told = self.outbox.acknowledged(peer, model.letter.msg_id)
        assert told == (peer == model.letter.peer and model.end != "delivered")
        if told:
            model.end = "delivered"

    @rule(link=st.sampled_from(LINKS))
    def loses(self, link: str) -> None:
        self.outbox.link_lost(link)
        for model in self.living:
            if model.link == link:
                model.stage, model.link, model.due = "waiting", "", 0.0

    @rule(seconds=st.sampled_from([0.0, 0.5, 2.0, 4.999, TIMEOUT, 20.0]))
    def looks(self, seconds: float) -> None:
        self.now += seconds
        for model in self.in_stage("sent"):
            if model.deadline <= self.now:
                written = model.deadline - TIMEOUT
                model.stage = "waiting"
                model.due = None if model.legacy else written + TIMEOUT * 2 ** (model.attempts - 1)
        for model in self.in_stage("waiting"):
            if model.due is not None and model.due <= self.now:
                model.due = 0.0
        ready = {m.letter.peer for m in self.living if m.may_be_handed_over(self.now)}
        assert sorted(self.outbox.overdue(self.now)) == sorted(ready)

    @rule()
    def gives_up(self) -> None:
        wall_now = START + timedelta(seconds=self.now)
        given_up = [letter for letter, _ in self.outbox.too_old(wall_now)]
        given_up += [letter for letter, _ in self.outbox.exhausted()]
        hopeless = [
            m for m in self.living if m.exhausted or wall_now - m.letter.queued_at > MAX_AGE
        ]
        assert len(given_up) == len(hopeless)
        assert {one.msg_id for one in given_up} == {model.letter.msg_id for model in hopeless}
        for model in hopeless:
            model.end = "failed"

    @rule(data=st.data())
    def withdraws(self, data: st.DataObject) -> None:
        if self.all:
            model = data.draw(st.sampled_from(list(self.all.values())))
            assert self.outbox.withdraw(model.letter.msg_id) == (not model.end)
            model.end = model.end or "withdrawn"

    @invariant()
    def agrees(self) -> None:
        assert len(self.outbox) == len(self.living)
        waiting = self.in_stage("waiting")
        assert self.outbox.on_a_link == len(self.living) - len(waiting)
        assert set(self.outbox.waiting_for) == {model.letter.peer for model in waiting}
        times = [model.deadline for model in self.in_stage("sent")]
        times += [m.due for m in waiting if m.due and not m.exhausted]
        assert self.outbox.next_look() == min(times, default=None)


class OutboxMachine(SynchronousTestCase):
    def test_each_letter_is_tried_when_it_is_due_and_ends_once(self) -> None:
        run_state_machine_as_test(
            OutboxModel,
            settings=settings(deadline=None, max_examples=100, stateful_step_count=40),
        )
