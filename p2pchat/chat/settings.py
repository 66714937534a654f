"""The parts of the chat that are as the configuration has them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from p2pchat import __version__
from p2pchat.chat.factory import Admission
from p2pchat.chat.link import LinkSettings
from p2pchat.chat.messages import ArchiveOffer
from p2pchat.chat.outbox import Outbox
from p2pchat.config import Config
from p2pchat.identity import PeerId
from p2pchat.sections import Limits

AGENT = f"p2pchat/{__version__}"


def make_link_settings(
    me: PeerId,
    config: Config,
    rng: Random,
    wall_clock: Callable[[], datetime],
    offer: Callable[[], ArchiveOffer | None],
) -> LinkSettings:
    """Return what all links of a node share."""
    return LinkSettings(
        me=me,
        agent=AGENT,
        handshake_timeout=config.limits.handshake_timeout,
        ping_interval=config.connection.ping_interval,
        answer_timeout=config.connection.ack_timeout,
        queue_messages=config.limits.queue_messages,
        queue_bytes=config.limits.queue_bytes,
        rng=rng,
        wall_clock=wall_clock,
        offer=offer,
    )


def make_admission(limits: Limits) -> Admission:
    """Return who may come in."""
    return Admission(limits.max_links, limits.max_links_per_ip, limits.max_handshakes_per_ip)


def make_outbox(config: Config) -> Outbox:
    """Return what watches over the messages to be delivered."""
    return Outbox(
        config.connection.ack_timeout,
        timedelta(days=config.outbox.max_days),
        config.outbox.legacy_retries,
    )
