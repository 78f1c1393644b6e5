#!/usr/bin/env python3
"""`paligemma serve` among clients that mean no good or have died: thousands of connections, streams that nobody reads,
clients that leave in the middle of anything.

    serve_faults_test.py PALIGEMMA [CROWD]       (10000)
"""
import json
import resource
import select
import socket
import struct
import sys
import threading
import time

from serve_test import COW, Server, chat, data_url, wait_until, with_picture

MOST_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
CROWD = min(int(sys.argv[2]) if len(sys.argv) > 2 else 10000, MOST_FILES - 300)
ASK = {"image": data_url(COW), "max_tokens": 3, "temperature": 0}


def request(body, length=None):
    text = json.dumps(body).encode()
    return (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % (length or len(text)) + text)


def connect(server, small=False):
    """small: with little room for what is not read."""
    client = socket.socket()
    if small:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(60)
    client.connect(("127.0.0.1", server.port))
    return client


def leave(client):
    """Gone without a farewell: a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def crowd_of(server):
    """Connections that never say a word."""
    crowd = [socket.socket() for _ in range(CROWD)]
    for client in crowd:
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", server.port))
    return crowd


def count_closed(crowd):
    poll = select.poll()
    for client in crowd:
        poll.register(client, select.POLLIN | select.POLLHUP | select.POLLERR)
    return len(poll.poll(0))


def turn_away(server):
    """A crowd, closed by the server. Returns what memory says meanwhile."""
    crowd = crowd_of(server)
    wait_until(lambda: count_closed(crowd) == len(crowd))
    found = server.memory()
    for client in crowd:
        client.close()
    return found


def test_a_crowd_is_turned_away():
    """More than may be there are closed at once, and the silent ones in time; then all is as before. The first crowd
    makes sanitizers take memory of their own; the second leaves nothing behind."""
    with Server("--connections", "64", "--timeout", "2") as server:
        caption = server.post("/v1/caption", ASK)["caption"]
        before, _ = turn_away(server)
        after, threads = turn_away(server)
        assert threads < 80 and after < before + 50, (before, after, threads)
        assert server.post("/v1/caption", ASK)["caption"] == caption


def test_a_crowd_is_borne():
    """Where as many may be there, others are answered among them."""
    with Server("--connections", str(CROWD + 200), "--timeout", "60") as server:
        caption = server.post("/v1/caption", ASK)["caption"]
        crowd = crowd_of(server)
        for _ in range(5):
            assert server.post("/v1/caption", ASK)["caption"] == caption
        wait_until(lambda: server.memory()[1] > len(crowd))
        assert count_closed(crowd) == 0, "some were closed"
        for client in crowd:
            client.close()
        wait_until(lambda: server.memory()[1] < 50)
        assert server.post("/v1/caption", ASK)["caption"] == caption


def read_events(client):
    """What a stream says until it ends, or breaks off."""
    content = b""
    try:
        while piece := client.recv(1 << 16):
            content += piece
    except OSError:
        pass
    return content


def test_streams_that_nobody_reads():
    """They take no place from others once they are made, and are cut off in time."""
    long = chat(with_picture("caption en"), max_tokens=200, min_tokens=200, temperature=1, n=16, stream=True,
                logprobs=True, top_logprobs=20)
    with Server("--timeout", "2") as server:
        kind = {"Content-Type": "application/json"}
        whole = len(server.raw("POST", "/v1/chat/completions", json.dumps(long), kind)[2])
        slow = [connect(server, small=True) for _ in range(4)]
        for client in slow:
            client.sendall(request(long))
        began = time.monotonic()
        fast = server.stream("/v1/chat/completions", chat("caption en", max_tokens=50, min_tokens=50))
        assert fast[-1]["choices"][0]["finish_reason"] == "length"
        wait_until(server.is_idle, 60)
        cut_off = lambda: sum(line.get("method") == "POST" and not line["sent"] for line in server.lines())
        wait_until(lambda: cut_off() == 4)
        assert time.monotonic() - began < 60
        for client in slow:
            assert len(read_events(client)) < whole
            client.close()


def test_clients_that_leave():
    """In the head, in the body, after the first piece of a stream, before a whole answer: nothing of them stays."""
    stream = chat(with_picture("caption en"), max_tokens=100, min_tokens=100, stream=True)
    with Server("--queue", "100", "--timeout", "5") as server:
        caption = server.post("/v1/caption", ASK)["caption"]

        def come_and_go(turn):
            client = connect(server)
            if turn % 4 == 0:
                client.sendall(request(stream)[:50 + 10 * turn])
            elif turn % 4 == 1:
                client.sendall(request(stream, 10 ** 6))
            else:
                client.sendall(request(dict(stream, stream=turn % 4 == 2)))
                if turn % 4 == 2:
                    client.recv(300)
            leave(client)

        def many(first):
            for turn in range(first, 120, 6):
                come_and_go(turn)

        threads = [threading.Thread(target=many, args=(i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.post("/v1/caption", ASK)["caption"] == caption
        wait_until(lambda: server.is_idle() and server.memory()[1] < 30)
        assert server.post("/v1/caption", ASK)["caption"] == caption


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES, MOST_FILES))  # of the servers too
    print(f"a crowd of {CROWD}")
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            print(name, flush=True)
            test()


if __name__ == "__main__":
    main()
