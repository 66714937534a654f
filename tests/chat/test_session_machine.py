"""The session as a state machine, against a model of its transition table."""

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
from p2pchat.chat.messages import Bye, ByeOk, Hello, HelloOk, HelloReject, Message
from p2pchat.chat.session import Role, Session, State
from p2pchat.errors import LocalProtocolError, RemoteProtocolError
from p2pchat.identity import PeerId, parse_peer_id
from tests.chat.strategies import messages, mutated, objects

ME, BOB, EVE = PeerId("alice@CIC"), PeerId("bob@CIC"), PeerId("eve@CIC")
TALK = {"PING", "PONG", "SEND", "ACK", "PUB", "RELAY"}

#: From the state, by what is received, to the next one; "talk" stands for all of TALK.
TABLE = {
    ("AWAIT_HELLO", "HELLO"): "AWAIT_DECISION",
    ("AWAIT_DECISION", "talk"): "AWAIT_DECISION",
    ("AWAIT_DECISION", "BYE"): "LEFT",
    ("AWAIT_HELLO_OK", "HELLO_OK"): "TALKING",
    ("AWAIT_HELLO_OK", "HELLO_REJECT"): "AWAIT_HELLO_OK",
    ("AWAIT_HELLO_OK", "BYE"): "LEFT",
    ("TALKING", "talk"): "TALKING",
    ("TALKING", "HELLO_REJECT"): "TALKING",
    ("TALKING", "BYE"): "LEFT",
    ("LEAVING", "talk"): "LEAVING",
    ("LEAVING", "BYE"): "LEFT",
    ("LEAVING", "BYE_OK"): "LEFT",
}
IGNORED = {"HELLO_OK", "BYE_OK"}

introductions = st.sampled_from([str(ME), str(BOB), str(EVE), "nobody", ""])
said = st.one_of(
    messages,
    introductions.map(Hello),
    introductions.map(HelloOk),
    st.sampled_from([Bye("1"), ByeOk("1"), HelloReject("full")]),
)


class SessionModel(RuleBasedStateMachine):
    @initialize(
        role=st.sampled_from(Role), expected=st.sampled_from([None, BOB]), modern=st.booleans()
    )
    def begin(self, role: Role, expected: PeerId | None, modern: bool) -> None:
        self.expected = expected if role is Role.DIALLER else None
        self.session = Session(ME, role, agent="p2pchat/1", expected=self.expected)
        self.state = "AWAIT_HELLO_OK" if role is Role.DIALLER else "AWAIT_HELLO"
        self.peer: str | None = None
        self.named: str | None = None

    @rule(message=said)
    def hears(self, message: Message) -> None:
        kind = str(message.__struct_config__.tag)
        following = TABLE.get((self.state, "talk" if kind in TALK else kind))
        introduces = following is not None and isinstance(message, Hello | HelloOk)
        if introduces and self.is_name(message.peer_id):
            self.named = message.peer_id
        if introduces and not self.believable(message.peer_id):
            self.refuses(message)
        elif following is not None:
            assert self.session.receive(encode(message)[:-1]) == message
            self.state = following
            self.peer = message.peer_id if introduces else self.peer
        elif self.state == "LEFT" or (kind in IGNORED and self.state != "AWAIT_HELLO"):
            assert self.session.receive(encode(message)[:-1]) is None
        else:
            self.refuses(message)

    def is_name(self, peer_id: str) -> bool:
        try:
            parse_peer_id(peer_id)
        except ValueError:
            return False
        return True

    def believable(self, peer_id: str) -> bool:
        return self.is_name(peer_id) and peer_id != ME and self.expected in (None, peer_id)

    def refuses(self, message: Message) -> None:
        try:
            self.session.receive(encode(message)[:-1])
        except RemoteProtocolError:
            return
        raise AssertionError(f"{message} was taken in {self.state}")

    @rule(line=objects() | st.binary(max_size=50) | messages.map(encode).flatmap(mutated))
    def hears_junk(self, line: bytes) -> None:
        try:
            message = self.session.receive(line)
        except RemoteProtocolError:
            self.named = self.session._there  # it may have been a name in the wrong place
            return
        if message is not None:  # the junk was a message after all
            self.state = self.session.state.name
            self.peer = self.named = self.session.peer

    @rule()
    def accepts(self) -> None:
        try:
            answer = self.session.accept()
        except LocalProtocolError:
            assert self.state != "AWAIT_DECISION"
        else:
            assert self.state == "AWAIT_DECISION"
            assert answer.peer_id == ME
            self.state = "TALKING"

    @rule()
    def leaves(self) -> None:
        try:
            bye = self.session.leave("9", "leaving")
        except LocalProtocolError:
            assert self.state in ("LEAVING", "LEFT")
        else:
            assert self.state not in ("LEAVING", "LEFT")
            there = self.named or self.expected
            assert (bye.dst if bye is not None else None) == there
            self.state = "LEAVING" if there else "LEFT"

    @precondition(lambda self: self.state in ("LEAVING", "LEFT"))
    @rule()
    def closes(self) -> None:
        self.session.close()
        self.state = "LEFT"

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "session"):
            assert self.session.state is State[self.state], (self.session.state, self.state)
            assert self.session.peer == self.peer


class SessionMachine(SynchronousTestCase):
    def test_the_session_is_its_table(self) -> None:
        run_state_machine_as_test(
            SessionModel, settings=settings(deadline=None, max_examples=100, stateful_step_count=25)
        )
