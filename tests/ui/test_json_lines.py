"""JSON output for programs."""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.events import Notice
from p2pchat.ui.actions import Sent
from p2pchat.ui.catalogue import COMMANDS
from p2pchat.ui.commands import Commands, Reply, failure
from p2pchat.ui.json_lines import JsonFormat
from tests.ui.fake_archive import archived
from tests.ui.fakes import NOON, FakeNode, make_folder, received, surroundings
from tests.ui.test_views import EVENTS, message

#: Lone surrogates too, which st.text leaves out.
ANY_TEXT = st.lists(st.characters() | st.sampled_from("\ud800\udcff\n\x00")).map("".join)


class JsonTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.form = JsonFormat()

    def test_every_event_is_one_object_with_its_kind_and_time(self) -> None:
        for event, _ in EVENTS:
            line = self.form.event(event)
            self.assertEqual(line.count(b"\n"), 1)
            found = json.loads(line)
            self.assertEqual(next(iter(found)), "event")
            self.assertEqual(found["time"], "2025-03-01T12:00:00Z")

    def test_a_message(self) -> None:
        self.assertEqual(
            self.form.event(message("a\nb")),
            b'{"event":"message","time":"2025-03-01T12:00:00Z","msg_id":"1","from":"bob@CIC",'
            b'"to":"alice@CIC","text":"a\\nb","kind":"send","relayed":false,"stored_id":0}\n',
        )

    def test_a_reply(self) -> None:
        reply = Reply("/msg", ["→ bob@CIC: hi"], Sent("1", "bob@CIC"))
        self.assertEqual(
            self.form.reply(reply, NOON).decode(),
            '{"event":"reply","time":"2025-03-01T12:00:00Z","command":"/msg",'
            '"lines":["→ bob@CIC: hi"],"data":{"msg_id":"1","to":"bob@CIC","absent":false}}\n',
        )

    def test_a_reply_that_failed(self) -> None:
        self.assertEqual(
            self.form.reply(failure("/x", "no"), NOON),
            b'{"event":"reply","time":"2025-03-01T12:00:00Z","command":"/x","lines":["no"],'
            b'"data":null,"error":"no"}\n',
        )

    def test_the_data_of_every_command_is_json(self) -> None:
        node = FakeNode("bob@CIC")
        node.history.keep(received("b1"))
        node.history.queue("bob@CIC", "a1", "hi", NOON)
        folder = make_folder(self)
        node.archive.chats = [archived(1, "hello")]
        arguments = {
            "/msg": " bob hi",
            "/pub": " * hi",
            "/log": " info",
            "/cancel": " a1",
            "/search": " hel*",
            "/export": f" {folder}/all",
            "/chat": " hi",
            "/connect": " 127.0.0.3",
        }
        commands = Commands(node, surroundings())
        for name in COMMANDS:
            line = name + arguments.get(name, "")
            reply = self.successResultOf(Deferred.fromCoroutine(commands.run(line)))
            found = json.loads(self.form.reply(reply, NOON))
            self.assertNotIn("error", found)
            self.assertEqual(found["command"], name)
            if name != "/quit":
                self.assertIsInstance(found["data"], dict | list)

    @given(ANY_TEXT)
    def test_any_text_is_one_line_of_utf8(self, text: str) -> None:
        line = self.form.event(Notice(time=NOON, level="info", text=text))
        self.assertEqual(line.find(b"\n"), len(line) - 1)
        expected = text.encode("utf-8", "replace").decode()
        self.assertEqual(json.loads(line.decode())["text"], expected)
