"""The state of one link, case by case."""

from typing import Any, ClassVar

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.codec import encode
from p2pchat.chat.messages import (
    Ack,
    Bye,
    ByeOk,
    Hello,
    HelloOk,
    HelloReject,
    Message,
    Ping,
    Pong,
    Pub,
    Relay,
    Send,
    Unknown,
)
from p2pchat.chat.session import Role, Session, State
from p2pchat.errors import LocalProtocolError, RemoteProtocolError
from p2pchat.identity import PeerId

ME = PeerId("alice@CIC")
BOB = PeerId("bob@CIC")


def line(message: Message) -> bytes:
    return encode(message)[:-1]


def dialler(expected: PeerId | None = None) -> Session:
    return Session(ME, Role.DIALLER, agent="p2pchat/1", expected=expected)


def listener() -> Session:
    return Session(ME, Role.LISTENER, agent="p2pchat/1")


def talking() -> Session:
    session = dialler()
    session.receive(line(HelloOk(BOB)))
    return session


class Handshake(SynchronousTestCase):
    def test_the_dialler_is_talking_after_hello_ok(self) -> None:
        session = dialler()
        self.assertEqual(session.state, State.AWAIT_HELLO_OK)
        self.assertIsNone(session.peer)
        session.receive(line(HelloOk(BOB)))
        self.assertEqual((session.state, session.peer), (State.TALKING, BOB))

    def test_the_listener_is_talking_once_its_owner_accepts(self) -> None:
        session = listener()
        session.receive(line(Hello(BOB)))
        self.assertEqual((session.state, session.peer), (State.AWAIT_DECISION, BOB))
        answer = session.accept()
        self.assertEqual((answer.peer_id, answer.agent), (ME, "p2pchat/1"))
        self.assertEqual(session.state, State.TALKING)

    def test_nobody_is_accepted_before_hello_nor_twice(self) -> None:
        session = listener()
        with self.assertRaises(LocalProtocolError):
            session.accept()
        session.receive(line(Hello(BOB)))
        session.accept()
        with self.assertRaises(LocalProtocolError):
            session.accept()

    def test_a_refused_introduction_leaves_the_state_as_it_was(self) -> None:
        for peer_id in (ME, "bob", "@CIC", "bob@", "", "b\x00b@CIC", "x" * 65 + "@CIC"):
            session = listener()
            with self.assertRaises(RemoteProtocolError):
                session.receive(line(Hello(peer_id)))
            self.assertEqual((session.state, session.peer), (State.AWAIT_HELLO, None), peer_id)

    def test_only_its_own_agent_field_makes_a_peer_modern(self) -> None:
        for agent, modern in (("p2pchat/9", True), ("", True), (msgspec.UNSET, False)):
            session = listener()
            session.receive(line(Hello(BOB, agent=agent)))
            self.assertEqual(session.modern, modern, agent)

    def test_a_hostile_agent_is_made_visible_and_cut(self) -> None:
        session = listener()
        session.receive(line(Hello(BOB, agent="\x1b[2J" + "x" * 500)))
        self.assertTrue(session.peer_agent.startswith("\\x1b[2J"))
        self.assertLess(len(session.peer_agent), 80)


class Leaving(SynchronousTestCase):
    def test_bye_is_answered_under_its_own_id(self) -> None:
        session = talking()
        bye = session.receive(line(Bye("7")))
        assert isinstance(bye, Bye)
        self.assertEqual(session.leave_answer(bye), ByeOk("7", ME, BOB))
        self.assertEqual(session.state, State.LEFT)

    def test_while_leaving_talk_is_heard_until_bye_ok(self) -> None:
        session = talking()
        session.leave("1", "leaving")
        self.assertIsNotNone(session.receive(line(Send("2"))))
        self.assertIsNotNone(session.receive(line(ByeOk("1"))))
        self.assertEqual(session.state, State.LEFT)
        self.assertIsNone(session.receive(line(Send("3"))))

    def test_nobody_leaves_twice(self) -> None:
        session = talking()
        session.leave("1", "leaving")
        with self.assertRaises(LocalProtocolError):
            session.leave("2", "leaving")
        session.close()
        with self.assertRaises(LocalProtocolError):
            session.leave("3", "leaving")


class Table(SynchronousTestCase):
    """What each state hears, ignores and refuses, for every type of message."""

    TALK = (Ping("1"), Pong("1"), Send("1"), Ack("1"), Pub("1"), Relay("1"))
    HEARD: ClassVar[dict[State, tuple[Any, ...]]] = {
        State.AWAIT_HELLO: (Hello(BOB),),
        State.AWAIT_DECISION: (*TALK, Bye()),
        State.AWAIT_HELLO_OK: (HelloOk(BOB), HelloReject(), Bye()),
        State.TALKING: (*TALK, HelloReject(), Bye()),
        State.LEAVING: (*TALK, Bye(), ByeOk()),
        State.LEFT: (),
    }
    ALL = (Hello(BOB), HelloOk(BOB), HelloReject(), *TALK, Bye(), ByeOk())

    def in_state(self, state: State) -> Session:
        session = dialler() if state is State.AWAIT_HELLO_OK else listener()
        if state not in (State.AWAIT_HELLO, State.AWAIT_HELLO_OK):
            session.receive(line(Hello(BOB)))
        if state in (State.TALKING, State.LEAVING, State.LEFT):
            session.accept()
        if state is State.LEAVING:
            session.leave("1", "")
        if state is State.LEFT:
            session.close()
        self.assertIs(session.state, state)
        return session

    def hears(self, state: State, message: Message) -> bool | None:
        """Tell whether the message is heard (True), ignored (False) or refused (None)."""
        session = self.in_state(state)
        try:
            return session.receive(line(message)) is not None
        except RemoteProtocolError:
            self.assertIs(session.state, state, "a refused message must change nothing")
            return None

    def test_what_is_heard(self) -> None:
        for state, messages in self.HEARD.items():
            for message in messages:
                self.assertIs(self.hears(state, message), True, (state, message))

    def test_what_is_ignored_and_what_is_refused(self) -> None:
        for state, heard in self.HEARD.items():
            for message in self.ALL:
                if message in heard:
                    continue
                harmless = isinstance(message, ByeOk | HelloOk) and state is not State.AWAIT_HELLO
                expected = False if harmless or state is State.LEFT else None
                self.assertIs(self.hears(state, message), expected, (state, message))

    def test_an_unknown_type_is_ignored_but_does_not_replace_a_hello(self) -> None:
        for state in State:
            session = self.in_state(state)
            try:
                self.assertIsNone(session.receive(b'{"type":"NEWS"}'))
                self.assertIsNot(state, State.AWAIT_HELLO)
            except RemoteProtocolError:
                self.assertIs(state, State.AWAIT_HELLO)

    def test_unknown_is_not_something_to_send(self) -> None:
        self.assertNotIsInstance(Unknown("NEWS"), Message)
