"""A link of limited speed before a server on loopback: all connections share one rate in each direction.
    python3 link.py PORT_OF_SERVER BYTES_PER_SECOND          prints the port that it listens at

A program of its own, so that its CPU time is not the benchmark's. The bytes are spliced by the kernel and never seen
here: a gigabyte costs about a tenth of a second. Small kernel buffers keep the far end from running ahead of the rate.
"""
import os
import socket
import sys
import threading
import time

PIECE = 64 << 10
BURST = 0.02                          # seconds of the rate that may go at once
BUFFER = 128 << 10


class Rate:
    """Whoever takes bytes waits until the link would have carried those before them."""

    def __init__(self, per_second):
        self.per_second, self.free_at, self.lock = per_second, time.monotonic(), threading.Lock()

    def take(self, count):
        with self.lock:
            now = time.monotonic()
            self.free_at = max(self.free_at, now - BURST) + count / self.per_second
            wait = self.free_at - now
        if wait > 0:
            time.sleep(wait)


def carry(source, sink, rate):
    """One direction of a connection, until its end."""
    reading, writing = os.pipe()
    try:
        while True:
            count = os.splice(source.fileno(), writing, PIECE)
            if count == 0:
                break
            rate.take(count)
            while count > 0:
                count -= os.splice(reading, sink.fileno(), count)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for each in (source, sink):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
    finally:
        os.close(reading)
        os.close(writing)


def serve(client, port, up, down):
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with client, socket.socket() as server:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server.connect(("127.0.0.1", port))
        back = threading.Thread(target=carry, args=(server, client, down), daemon=True)
        back.start()
        carry(client, server, up)
        back.join()


def main():
    port, rate = int(sys.argv[1]), float(sys.argv[2])
    up, down = Rate(rate), Rate(rate)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)     # those it accepts have the same
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        print(listener.getsockname()[1], flush=True)
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client, port, up, down), daemon=True).start()


if __name__ == "__main__":
    main()
