"""The rendezvous server as a process: started, restarted, killed, abused and looked at."""

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.programs import HERE, free_port, run, twistd
from tests.integration.rendezvous_service import (
    HOSTILE,
    Server,
    answer_to,
    ask,
    ask_raw,
    connect,
    names,
    register,
)
from tests.integration.waiting import wait_until


class ServiceCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="p2pchat-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.data = self.folder / "data"

    def start(self, *options: str) -> Server:
        server = Server(self.folder, "--data-dir", str(self.data), *options)
        self.addCleanup(server.close)
        server.wait_until_ready()
        return server


class RestartTests(ServiceCase):
    def test_a_restart_keeps_who_is_registered(self) -> None:
        first = self.start()
        for name in ("ana", "bob"):
            self.assertEqual(register(first.port, name)["status"], "OK")
        self.assertEqual(first.terminate(), -signal.SIGTERM)
        self.assertFalse((self.data / "twistd.pid").exists())
        second = self.start()
        self.assertIn("has 2 registrations", "\n".join(second.lines.all()))
        self.assertEqual(names(ask(second.port, type="DISCOVER")), ["ana", "bob"])

    def test_what_was_written_outlives_a_kill(self) -> None:
        first = self.start()
        register(first.port, "ana")
        wait_until(self.is_on_disk, "a registration on the disk")
        first.kill()
        second = self.start()
        self.assertEqual(names(ask(second.port, type="DISCOVER")), ["ana"])

    def is_on_disk(self) -> bool:
        return any(b"ana" in path.read_bytes() for path in self.data.glob("registrations.db*"))

    def test_a_file_that_is_damaged_is_set_aside(self) -> None:
        self.data.mkdir()
        (self.data / "registrations.db").write_bytes(b"no database at all " * 100)
        server = self.start()
        self.assertEqual(register(server.port, "ana")["status"], "OK")
        server.terminate()
        with contextlib.closing(sqlite3.connect(self.data / "registrations.db")) as database:
            (state,) = database.execute("PRAGMA integrity_check").fetchone()
        self.assertEqual(state, "ok")

    def test_in_memory_nothing_is_kept(self) -> None:
        first = self.start("--registry", "memory")
        register(first.port, "ana")
        first.terminate()
        second = self.start("--registry", "memory")
        self.assertEqual(ask(second.port, type="DISCOVER")["message"], "peer_not_registered")


class StopTests(ServiceCase):
    def test_idle_and_dripping_connections_do_not_hold_it_up(self) -> None:
        server = self.start("--read-deadline", "600")
        idle = [connect(server.port) for _ in range(20)]
        for connection in idle:
            connection.sendall(b"{")
        register(server.port, "ana")
        self.assertEqual(server.terminate(), -signal.SIGTERM)
        for connection in idle:
            self.assertEqual(answer_to(connection), b"")
            connection.close()

    def test_in_the_background_it_has_a_log_and_a_process_id(self) -> None:
        port = free_port()
        place = ("--bind", HERE, "--port", str(port), "--data-dir", str(self.data))
        command = [
            argument for argument in twistd("p2pchat-rendezvous", *place) if argument != "-n"
        ]
        done = run(command, self.folder)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        pid = int(wait_until(lambda: self.read("twistd.pid"), "a process id"))
        self.addCleanup(_kill, pid)
        wait_until(lambda: "listens on" in self.read("rendezvous.log"), "a log")
        self.assertEqual(register(port, "ana")["status"], "OK")
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not (self.data / "twistd.pid").exists(), "the end")

    def read(self, name: str) -> str:
        path = self.data / name
        return path.read_text() if path.exists() else ""


class RefusalTests(ServiceCase):
    def assert_refused(self, *arguments: str, says: str) -> None:
        done = run(twistd("p2pchat-rendezvous", *arguments), self.folder)
        self.assertIn(says, done.stderr)
        self.assertTrue(done.stderr.startswith("p2pchat-rendezvous: "))
        self.assertEqual((done.returncode, done.stderr.count("\n"), done.stdout), (1, 1, ""))

    def test_what_is_in_its_way_is_one_line(self) -> None:
        self.start()
        other = ("--data-dir", str(self.folder / "other"), "--bind", HERE)
        self.assert_refused("--data-dir", str(self.data), says="choose another --data-dir")
        self.assert_refused(*other, "--registry", "sqlite:/no/such.db", says="registry")
        self.assert_refused(*other, "--registry", "mysql://x", says="expected memory")
        with socket.create_server((HERE, 0)) as taken:
            port = str(taken.getsockname()[1])
            self.assert_refused(
                *other, "--port", port, says=f"{HERE}:{port}: Address already in use"
            )
            free = ("--port", str(free_port()))
            self.assert_refused(*other, *free, "--metrics", port, says="choose another --metrics")

    def test_a_node_whose_metrics_have_no_port(self) -> None:
        with socket.create_server((HERE, 0)) as taken:
            port = str(taken.getsockname()[1])
            place = ("--name", "ana", "--bind", HERE, "--port", str(free_port()), "--no-archive")
            done = run(twistd("p2pchat", *place, "--no-rendezvous", "--metrics", port), self.folder)
        self.assertIn("choose another --metrics", done.stderr)
        self.assertEqual((done.returncode, done.stderr.count("\n"), done.stdout), (1, 1, ""))


class HostileTests(ServiceCase):
    def test_bad_lines_cost_their_sender_an_answer_and_nobody_else(self) -> None:
        server = self.start("--rate-limit", "1000")
        register(server.port, "ana")
        for line, words in HOSTILE:
            ending = b"" if len(line) > 32768 else b"\n"
            answer = ask_raw(server.port, line + ending)
            self.assertIn(words, answer, line[:80])
            self.assertEqual(answer.count(b"\n"), 1)
        self.assertEqual(names(ask(server.port, type="DISCOVER")), ["ana"])

    def test_hundreds_that_drip_do_not_keep_others_waiting(self) -> None:
        server = self.start("--rate-limit", "1000")
        dripping = [connect(server.port, f"127.1.{number % 5}.1") for number in range(400)]
        start = time.monotonic()
        for beat in range(3):
            for connection in dripping:
                connection.sendall(b"{")
            for number in range(30):
                answer = register(server.port, f"n{number}", f"127.2.{beat}.{number + 1}")
                self.assertEqual(answer["status"], "OK")
            wait_until(lambda due=start + 2 * beat: time.monotonic() >= due, "the next byte")
        for connection in dripping:
            self.assertIn(b"Timeout: no data received", answer_to(connection))
            connection.close()
        self.assertEqual(len(ask(server.port, "127.2.0.1", type="DISCOVER")["peers"]), 90)

    def test_who_comes_too_often_is_blocked_and_others_are_not(self) -> None:
        server = self.start("--rate-limit", "3", "--block-time", "600")
        for _ in range(3):
            self.assertIn(b"Unknown", ask_raw(server.port, b"x\n"))
        self.assertEqual(ask_raw(server.port, b"x\n"), b"")
        self.assertIn(b"has been blocked", ask_raw(server.port, b"x\n"))
        self.assertIn(b"Unknown", ask_raw(server.port, b"x\n", "127.0.0.9"))


class BalancerTests(ServiceCase):
    def test_the_client_is_who_the_balancer_says(self) -> None:
        server = self.start("--trust-proxy", "--rate-limit", "3")
        request = b'{"type":"REGISTER","namespace":"CIC","name":"ana","port":4000,"ttl":60}'
        for number in range(5):
            header = f"PROXY TCP4 198.51.100.{number} {HERE} 5000 8080\r\n".encode()
            answer = json.loads(ask_raw(server.port, header + request + b"\n"))
            self.assertEqual(answer["ip"], f"198.51.100.{number}")
        with connect(server.port) as half_closed:
            half_closed.sendall(b"PROXY TCP6 2001:db8::1 ::1 5000 8080\r\n" + request)
            half_closed.shutdown(socket.SHUT_WR)
            self.assertEqual(json.loads(answer_to(half_closed))["ip"], "2001:db8::1")
        self.assertEqual(ask_raw(server.port, request + b"\n"), b"")
        server.wait_for(f"no PROXY header from {HERE}: closed")


class SightTests(ServiceCase):
    def test_figures_and_a_log_for_programs(self) -> None:
        metrics = free_port()
        server = self.start("--metrics", str(metrics), "--log-format", "json")
        register(server.port, "ana")
        ask_raw(server.port, b"x\n")
        with urlopen(f"http://{HERE}:{metrics}/metrics", timeout=10) as page:
            families = list(text_string_to_metric_families(page.read().decode()))
        found = {
            (sample.name.removeprefix("p2pchat_rendezvous_"), *sample.labels.values()): sample.value
            for family in families
            for sample in family.samples
        }
        self.assertEqual(found["requests_total", "ok", "register"], 1)
        self.assertEqual(found["requests_total", "unknown", "none"], 1)
        self.assertEqual(found["registrations", "CIC"], 1)
        self.assertEqual(found["request_duration_seconds_count",], 2)
        server.terminate()
        lines = [json.loads(line) for line in server.lines.all()]
        self.assertTrue(all({"time", "level", "source", "text"} <= line.keys() for line in lines))
        self.assertTrue(any("listens on" in line["text"] for line in lines))

    def test_a_node_shows_its_own(self) -> None:
        metrics = free_port()
        place = ("--name", "ana", "--bind", HERE, "--port", str(free_port()), "--no-archive")
        options = ("--no-rendezvous", "--console", "none", "--metrics", str(metrics))
        command = [argument for argument in twistd("p2pchat", *place, *options) if argument != "-n"]
        self.assertEqual(run(command, self.folder).returncode, 0)
        (pidfile,) = self.folder.rglob("twistd.pid")
        self.addCleanup(_kill, int(pidfile.read_text()))
        page = wait_until(lambda: _page(metrics), "a page")
        names = {family.name for family in text_string_to_metric_families(page)}
        for name in (
            "p2pchat_links",
            "p2pchat_outbox_messages",
            "p2pchat_reactor_lateness_seconds",
        ):
            self.assertIn(name, names)
        os.kill(int(pidfile.read_text()), signal.SIGTERM)
        wait_until(lambda: not pidfile.exists(), "the end")


def _page(port: int) -> str:
    with contextlib.suppress(OSError), urlopen(f"http://{HERE}:{port}/metrics", timeout=10) as page:
        return str(page.read().decode())
    return ""


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
