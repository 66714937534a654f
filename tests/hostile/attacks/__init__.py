"""All attacks, by the names that the command line takes."""

from tests.hostile.attack import Attack
from tests.hostile.attacks.archives import UnsolicitedArchives, WorthlessClaims
from tests.hostile.attacks.connections import (
    ConnectionFlood,
    DripsOnArchive,
    DripsOnChat,
    DripsOnMetrics,
    DripsOnRendezvous,
)
from tests.hostile.attacks.deaf import DeafToArchive, DeafToPublications
from tests.hostile.attacks.escapes import EscapeSequences
from tests.hostile.attacks.lists import BogusArchivePeers, BogusPeers, HundredMegabytes
from tests.hostile.attacks.messages import PingFlood, SharedIds, StrayAcks
from tests.hostile.attacks.names import HelloFlood

ATTACKS: dict[str, type[Attack]] = {
    attack.name: attack
    for attack in (
        ConnectionFlood,
        DripsOnChat,
        DripsOnArchive,
        DripsOnRendezvous,
        DripsOnMetrics,
        DeafToPublications,
        DeafToArchive,
        BogusPeers,
        BogusArchivePeers,
        HundredMegabytes,
        HelloFlood,
        PingFlood,
        UnsolicitedArchives,
        WorthlessClaims,
        StrayAcks,
        SharedIds,
        EscapeSequences,
    )
}
