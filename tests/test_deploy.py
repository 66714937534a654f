"""What is shipped for operators fits the program: unit, image, pages."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from prometheus_client.core import Metric
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from p2pchat import options, rendezvous_options
from p2pchat.config import Archive
from p2pchat.metrics.lateness import Lateness
from p2pchat.metrics.node import NodeMetrics
from p2pchat.metrics.rendezvous import RendezvousMetrics
from p2pchat.rendezvous.registry import MemoryRegistry
from p2pchat.rendezvous.server import RendezvousFactory
from tests.simulation.network import Network
from tests.simulation.nodes import make_nodes
from tests.temporary import temporary_path

ROOT = Path(__file__).parents[1]
UNIT = ROOT / "deploy" / "p2pchat-rendezvous.service"
IMAGE = ROOT / "deploy" / "Dockerfile"

_PARSE = """
import sys
from p2pchat.rendezvous_options import Options
Options().parseOptions(sys.argv[1:])
"""


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


class CommandTests(SynchronousTestCase):
    def assert_parses(self, command: list[str]) -> None:
        """Parse a command line as twistd would, with a data folder that may be written to."""
        program, foreground, plugin, *arguments = command
        self.assertEqual((Path(program).name, foreground), ("twistd", "-n"))
        self.assertEqual(plugin, "p2pchat-rendezvous")
        folder = temporary_path(self)
        arguments[arguments.index("--data-dir") + 1] = str(folder)
        script = [sys.executable, "-c", _PARSE, *arguments]
        done = subprocess.run(script, capture_output=True, text=True, timeout=30, cwd=ROOT)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_units_command(self) -> None:
        (command,) = re.findall(r"^ExecStart=(.*)$", UNIT.read_text(), re.MULTILINE)
        self.assert_parses(shlex.split(command))

    def test_the_images_command(self) -> None:
        (command,) = re.findall(r"^ENTRYPOINT (.*)$", IMAGE.read_text(), re.MULTILINE)
        self.assert_parses(json.loads(command))

    def test_the_image_does_not_run_as_root_and_its_check_is_a_program(self) -> None:
        image = IMAGE.read_text()
        self.assertRegex(image, r"(?m)^USER (?!root)\w+$")
        (check,) = re.findall(r"^HEALTHCHECK .* CMD (.*)$", image, re.MULTILINE)
        compile(json.loads(check)[2], "HEALTHCHECK", "exec")

    def test_systemd_accepts_the_unit(self) -> None:
        if shutil.which("systemd-analyze") is None:
            raise SkipTest("no systemd-analyze")
        folder = temporary_path(self)
        folder.mkdir()
        unit = folder / UNIT.name
        unit.write_text(UNIT.read_text().replace("/opt/p2pchat/bin/twistd", "/bin/true"))
        command = ["systemd-analyze", "verify", "--man=no", str(unit)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        told = [line for line in done.stderr.splitlines() if UNIT.name in line]
        self.assertEqual((done.returncode, told), (0, []), done.stderr)


class PageTests(SynchronousTestCase):
    def test_every_option_of_a_node_is_on_a_page_and_no_other(self) -> None:
        theirs = {f"--{option.rstrip('=')}" for option in rendezvous_options.Options().longOpt}
        ours = {f"--{option.rstrip('=')}" for option in options.Options().longOpt}
        documented = set(re.findall(r"--[a-z][a-z-]*", page("configuration.md")))
        self.assertEqual(ours - documented - {"--help"}, set())
        self.assertEqual(documented - ours - theirs, set())

    def test_every_figure_is_on_the_page_and_no_other(self) -> None:
        documented = {
            figure
            for line in page("operating.md").splitlines()
            if line.startswith("| `p2pchat_")
            for figure in re.findall(r"`(p2pchat_\w+)", line.split("|")[1])
        }
        served = {_shown(family) for family in (*self.servers(), *self.nodes())}
        self.assertEqual(documented - {"p2pchat_info"}, served)

    def servers(self) -> list[Metric]:
        clock = Clock()
        server = RendezvousFactory(clock, MemoryRegistry(clock.seconds))
        metrics = RendezvousMetrics(clock, server, Lateness(clock))
        return self.successResultOf(ensureDeferred(metrics.metrics()))

    def nodes(self) -> list[Metric]:
        network = Network(1)
        nodes = make_nodes(network, 2, Archive())
        for node in nodes:
            node.start()
        network.advance(70)
        metrics = NodeMetrics(nodes[0].running, Lateness(Clock()))
        return self.successResultOf(ensureDeferred(metrics.metrics()))


def _shown(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name
