"""Every command about the history and the outbox, and every mistake in one."""

from datetime import timedelta

from twisted.internet.defer import Deferred

from p2pchat.errors import QueueFullError, RequestError
from p2pchat.history import Entry, StoreError
from p2pchat.text import is_printable
from p2pchat.ui.fitting import MAX_TEXT
from p2pchat.ui.styled import plain
from tests.ui.fakes import NOON, make_folder
from tests.ui.history_case import HOSTILE, HistoryCase


class MistakeTests(HistoryCase):
    def test_every_mistake_gets_one_line(self) -> None:
        usage = "usage: /history [PEER|#NS|*] [N] [before TIME]"
        example = f"write 14:30, 2026-11-22 or 2026-11-22 14:30:15; {usage}"
        cases = {
            "/outbox x": "/outbox: takes no argument; usage: /outbox",
            "/cancel": "/cancel: no id; /outbox shows them; usage: /cancel ID",
            "/cancel 1 2": "/cancel: nothing is expected after 1; usage: /cancel ID",
            "/cancel 7": "/cancel: no message 7 waits to be delivered; /outbox lists all",
            f"/cancel {'9' * 99}": f"/cancel: no message {'9' * 99} waits to be delivered; "
            "/outbox lists all",
            "/history dave": "/history: 0 peers are called dave",
            "/history #": f"/history: # is neither * nor #namespace; {usage}",
            "/history bob x": f"/history: x is neither a number nor before TIME; {usage}",
            "/history 5 bob": f"/history: bob is neither a number nor before TIME; {usage}",
            "/history bob 5 6": f"/history: 6 is neither a number nor before TIME; {usage}",
            "/history 0": f"/history: 0 is not from 1 to 1000; {usage}",
            "/history 1001": f"/history: 1001 is not from 1 to 1000; {usage}",
            f"/history {'9' * 30}": f"/history: {'9' * 30} is not from 1 to 1000; {usage}",
            "/history before": f"/history: {example}",
            "/history before noon": f"/history: noon is no time: {example}",
            "/history bob before 25:00": f"/history: 25:00 is no time: {example}",
            "/search": "/search: no words; usage: /search WORDS",
            "/search  ": "/search: no words; usage: /search WORDS",
            "/search 👋": "/search: there is no word in 👋; usage: /search WORDS",
            "/search ! !": "/search: there is no word in ! !; usage: /search WORDS",
            '/search "': '/search: there is no word in "; usage: /search WORDS',
            "/search *\x1b": "/search: there is no word in *\\x1b; usage: /search WORDS",
            "/search \u0301": "/search: there is no word in \u0301; usage: /search WORDS",
            "/unread x": "/unread: takes no argument; usage: /unread",
            "/export": "/export: no file; usage: /export FILE",
            "/export a b": "/export: nothing is expected after a; usage: /export FILE",
        }
        for text, error in cases.items():
            reply = self.run_line(text)
            self.assertEqual((reply.lines, reply.error, reply.data), ([error], error, None), text)

    def test_a_history_that_fails_is_one_line(self) -> None:
        for trouble in (StoreError("no space\nleft"), QueueFullError("no space\nleft")):
            self.node.history.trouble = trouble
            folder = make_folder(self)
            for line in ("/outbox", "/cancel 1", "/history", "/unread", f"/export {folder}/x"):
                reply = self.run_line(line)
                name = line.split()[0]
                self.assertEqual(reply.lines, [f"{name}: no space\\x0aleft"])
                self.assertEqual(reply.error, reply.lines[0])
            self.assertEqual(list(folder.iterdir()), [])

    def test_a_store_that_fails_a_message_is_one_line(self) -> None:
        self.node.refusal = StoreError("no space left")
        self.assertEqual(self.run_line("/msg bob hi").error, "/msg: no space left")


class SendTests(HistoryCase):
    def test_the_reply_waits_until_the_message_is_stored(self) -> None:
        self.node.storing = Deferred()
        running = Deferred.fromCoroutine(self.commands.run("/msg bob hi"))
        self.assertNoResult(running)
        self.assertTrue(self.commands.sending)
        self.node.storing.callback(None)
        self.assertEqual(self.successResultOf(running).lines, ["→ bob@CIC: hi"])
        self.assertFalse(self.commands.sending)

    def test_a_failure_ends_the_sending(self) -> None:
        self.node.refusal = RequestError("full")
        self.run_line("/msg bob hi")
        self.assertFalse(self.commands.sending)

    def test_the_reply_names_whom_it_went_to_although_the_partner_changed(self) -> None:
        self.node.storing = Deferred()
        first = Deferred.fromCoroutine(self.commands.run("/msg bob hi"))
        second = Deferred.fromCoroutine(self.commands.run("/msg carol@CIC hi"))
        self.node.storing.callback(None)
        self.assertEqual(self.successResultOf(first).data.to, "bob@CIC")
        self.assertEqual(self.successResultOf(second).data.to, "carol@CIC")

    def test_it_is_told_once_in_each_absence_that_messages_wait(self) -> None:
        links = self.node.known_links
        told = []
        for there in (True, False, False, True, False):
            self.node.known_links = links if there else []
            reply = self.run_line("/msg bob hi")
            self.assertEqual(reply.data.absent, not there)
            told.append(reply.lines[1:])
        waits = ["bob@CIC is not there: the message is queued and will be sent when bob@CIC comes"]
        self.assertEqual(told, [[], waits, [], [], waits])


class OutboxTests(HistoryCase):
    def test_nothing_waits(self) -> None:
        reply = self.run_line("/outbox")
        self.assertEqual((reply.lines, reply.data), (["nothing waits to be delivered"], []))

    def test_what_waits_in_order(self) -> None:
        self.queue("a1", "first", minutes=-90)
        self.queue("a2", HOSTILE + "x" * 100, "carol@LAB", minutes=-1)
        self.node.history.written("a1")
        reply = self.run_line("/outbox")
        self.assertEqual([line.split(maxsplit=1)[0] for line in reply.lines], ["id", "1", "2", "2"])
        self.assertEqual(reply.lines[1], "1   bob@CIC    1 h 30 min  1         first")
        self.assertIn("carol@LAB  1 min       0         a\\x1b[2J\\u202ebxxx", reply.lines[2])
        self.assertTrue(reply.lines[2].endswith("x…"))
        self.assertEqual(reply.lines[3], "2 messages to be delivered")
        self.assertEqual([entry.msg_id for entry in reply.data], ["a1", "a2"])

    def test_a_long_outbox_is_not_listed_to_its_end(self) -> None:
        for number in range(102):
            self.queue(f"a{number}")
        reply = self.run_line("/outbox")
        self.assertEqual(len(reply.lines), 102)
        self.assertEqual(reply.lines[-1], "102 messages to be delivered; the last 2 are not listed")
        self.assertEqual(len(reply.data), 102)

    def test_long_texts_are_fewer_in_the_data(self) -> None:
        for number in range(6):
            self.queue(f"a{number}", "x" * (MAX_TEXT // 4))
        reply = self.run_line("/outbox")
        self.assertEqual((len(reply.lines), len(reply.data)), (8, 4))

    def test_withdraw_by_either_id(self) -> None:
        self.queue("a1", "first")
        self.queue("a2", HOSTILE)
        reply = self.run_line("/cancel 1")
        self.assertEqual(reply.lines, ["withdrawn: → bob@CIC: first"])
        self.assertEqual((reply.data.stored_id, reply.data.msg_id), (1, "a1"))
        self.assertEqual(self.lines("/cancel a2"), ["withdrawn: → bob@CIC: a\\x1b[2J\\u202eb"])
        self.assertEqual(self.node.calls, [("cancel", "a1"), ("cancel", "a2")])
        self.assertEqual(self.lines("/outbox"), ["nothing waits to be delivered"])

    def test_what_is_delivered_meanwhile_is_not_withdrawn(self) -> None:
        self.queue("a1")
        listed = self.node.history.outbox()
        self.node.history.settled("a1", "delivered")
        self.node.history.outbox = lambda: listed
        self.assertIn("no message 1 waits", self.run_line("/cancel 1").error)


class HistoryTests(HistoryCase):
    def setUp(self) -> None:
        super().setUp()
        self.keep("b1", "from bob", -24 * 60)
        self.keep("c1", "from carol", 1, sender="carol@LAB")
        self.keep("b2", "to all", 2, to="*", kind="pub")
        self.keep("b3", "to some", 3, to="#CIC", kind="pub")
        self.keep("r1", "they say", 4, sender="mallory@CIC", relayed=True)
        self.queue("a1", "waits", minutes=5)
        self.queue("a2", "arrived", minutes=6)
        self.node.history.settled("a2", "delivered")
        self.queue("a3", "in vain", minutes=7)
        self.node.history.settled("a3", "failed", "too old")
        self.node.history.published("#CIC", "p1", "hear", NOON + timedelta(minutes=8))

    def test_everything_as_it_was_said(self) -> None:
        self.assertEqual(
            self.lines("/history"),
            [
                "──── 2025-02-28 ────",
                "12:00:00 bob@CIC: from bob",
                "──── 2025-03-01 ────",
                "12:01:00 carol@LAB: from carol",
                "12:02:00 bob@CIC to *: to all",
                "12:03:00 bob@CIC to #CIC: to some",
                "12:04:00 [relayed, unverified] mallory@CIC: they say",
                "12:05:00 … → bob@CIC: waits",
                "12:06:00 ✓✓ → bob@CIC: arrived",
                "12:07:00 ✗ → bob@CIC: in vain (not delivered: too old)",
                "12:08:00 → #CIC: hear",
            ],
        )

    def test_a_page_is_the_same_with_styles(self) -> None:
        reply = self.run_line("/history")
        self.assertEqual([plain(line) for line in reply.page], reply.lines)
        self.assertIn(("class:peer", "carol@LAB"), reply.page[3])

    def test_the_data_are_the_messages(self) -> None:
        found = self.run_line("/history bob").data
        self.assertEqual({type(entry) for entry in found}, {Entry})
        self.assertEqual([entry.state for entry in found], ["", "queued", "delivered", "failed"])

    def test_a_conversation(self) -> None:
        cases = {
            "/history bob": ["b1", "a1", "a2", "a3"],
            "/history bob@CIC": ["b1", "a1", "a2", "a3"],
            "/history *": ["b2"],
            "/history #CIC": ["b3", "p1"],
            "/history carol@LAB": ["c1"],
        }
        for line, expected in cases.items():
            self.assertEqual(self.ids(line), expected, line)

    def test_a_count(self) -> None:
        self.assertEqual(self.ids("/history 2"), ["a3", "p1"])
        self.assertEqual(self.ids("/history bob 2"), ["a2", "a3"])
        for number in range(30):
            self.keep(f"x{number}")
        self.assertEqual(len(self.ids("/history")), 20)
        self.assertEqual(len(self.ids("/history 1000")), 39)

    def test_before_a_time(self) -> None:
        cases = {
            "/history before 12:02": ["b1", "c1"],
            "/history before 12:02:01": ["b1", "c1", "b2"],
            "/history before 2025-03-01": ["b1"],
            "/history bob 1 before 2025-03-01 12:06": ["a1"],
            '/history before "2025-03-01 12:01"': ["b1"],
            "/history 2 BEFORE 2025-03-01T13:04+01:00": ["b2", "b3"],
        }
        for line, expected in cases.items():
            self.assertEqual(self.ids(line), expected, line)

    def test_long_texts_are_fewer_and_what_is_left_out_is_told(self) -> None:
        for number in range(10):
            self.keep(f"x{number}", "x" * (MAX_TEXT // 4), 10 + number)
        reply = self.run_line("/history 8")
        self.assertEqual([entry.msg_id for entry in reply.data], ["x6", "x7", "x8", "x9"])
        remark = "· 4 older ones left out: ask for fewer, or before TIME"
        self.assertEqual((reply.lines[0], len(reply.lines)), (remark, 6))
        self.assertLess(sum(map(len, reply.lines)), MAX_TEXT + 1000)

    def test_a_peer_called_before(self) -> None:
        self.assertEqual(self.run_line('/history "before"').error.count("called before"), 1)

    def test_nothing_was_said(self) -> None:
        cases = {
            "/history carol@CIC": "nothing was said with carol@CIC",
            '/history "#my room"': 'nothing was said in "#my room"',
            "/history before 2000-01-01": "nothing was said before 2000-01-01",
            "/history carol@CIC before 12:00": "nothing was said with carol@CIC before 12:00",
        }
        for line, expected in cases.items():
            self.assertEqual(self.lines(line), [expected])

    def test_nothing_hostile_comes_through(self) -> None:
        self.keep("h1", HOSTILE, 10, sender=HOSTILE, to=f"#{HOSTILE}", kind="pub", relayed=True)
        self.queue("h2", HOSTILE, HOSTILE, 11)
        self.node.history.settled("h2", "failed", HOSTILE)
        reply = self.run_line("/history 2")
        self.assertEqual(len(reply.lines), 3)
        for line in [*reply.lines, *map(plain, reply.page)]:
            self.assertTrue(is_printable(line), line)
