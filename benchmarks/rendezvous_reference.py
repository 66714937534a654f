"""The baseline of a rendezvous server: what one writes first, in the plainest Python.

A thread for each connection, a list of who is registered that is searched from end to end, and a
JSON file that each REGISTER writes anew and puts on the disk. It begins with what is in the file
and prints `{"port": ...}` when it listens.
Run as `python -m benchmarks.rendezvous_reference FILE`.
"""

import json
import os
import socket
import sys
import threading
import time
from typing import Any

FILE = sys.argv[1]

peers: list[dict[str, Any]] = []
lock = threading.Lock()


def save() -> None:
    with open(FILE, "w") as file:
        file.write(json.dumps(peers))
        file.flush()
        os.fsync(file.fileno())


def register(ip: str, request: dict[str, Any]) -> dict[str, Any]:
    peer = {"ip": ip, **{key: request[key] for key in ("port", "name", "namespace", "ttl")}}
    peer["expires_at"] = time.time() + peer["ttl"]
    with lock:
        same = [
            other
            for other in peers
            if other["ip"] == ip
            and other["namespace"] == peer["namespace"]
            and other["name"] == peer["name"]
        ]
        for other in same:
            peers.remove(other)
        peers.append(peer)
        save()
    return {"status": "OK", "ttl": peer["ttl"], "ip": ip, "port": peer["port"]}


def discover(ip: str, request: dict[str, Any]) -> dict[str, Any]:
    now = time.time()
    with lock:
        there = [peer for peer in peers if peer["expires_at"] > now]
    if not any(peer["ip"] == ip for peer in there):
        return {"status": "ERROR", "message": "peer_not_registered"}
    found = []
    for peer in there:
        if request.get("namespace") in (None, peer["namespace"]):
            entry = {key: peer[key] for key in ("ip", "port", "name", "namespace", "ttl")}
            found.append({**entry, "expires_in": int(peer["expires_at"] - now)})
    return {"status": "OK", "peers": found}


def serve(connection: socket.socket, ip: str) -> None:
    with connection, connection.makefile("rb") as lines:
        request = json.loads(lines.readline())
        answer = {"REGISTER": register, "DISCOVER": discover}[request["type"]](ip, request)
        connection.sendall(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    with open(FILE) as file:
        peers += json.load(file)
    server = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(json.dumps({"port": server.getsockname()[1]}), flush=True)
    while True:
        connection, (ip, _) = server.accept()
        threading.Thread(target=serve, args=(connection, ip), daemon=True).start()
