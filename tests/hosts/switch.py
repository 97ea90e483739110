#!/usr/bin/python3
"""An Ethernet switch between network namespaces, with a rate, a delay and losses.

  switch.py [--mbit N] [--delay-ms N] [--loss-percent N] [--seed N] NAMESPACE...

In each namespace it makes the interface eth0 (a TAP), prints "ready", and carries frames: each one
leaves its port at --mbit, arrives --delay-ms later, and is lost with the given chance, drawn from a
seeded generator. Lines on stdin: "cut NAMESPACE" drops whatever that host sends or should get, as
a pulled cable or a firewall would; "heal NAMESPACE" ends that. It ends when stdin does.
Our kernels may lack sch_netem, which would do the same.
"""
import argparse
import ctypes
import fcntl
import heapq
import itertools
import os
import random
import select
import struct
import sys
import time

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
CLONE_NEWNET = 0x40000000
QUEUE_BYTES = 8 << 20  # waiting for one port; what comes on top is dropped, as switches do
libc = ctypes.CDLL(None, use_errno=True)


def open_tap(namespace):
    """The descriptor of a new eth0 in the namespace, which it also leaves this process in."""
    with open(f"/run/netns/{namespace}") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"eth0", IFF_TAP | IFF_NO_PI))
    return tap


class Switch:
    def __init__(self, options):
        self.taps = {open_tap(name): name for name in options.namespaces}
        self.seconds_per_byte = 8e-6 / options.mbit if options.mbit else 0.0
        self.delay = options.delay_ms / 1000
        self.loss = options.loss_percent / 100
        self.random = random.Random(options.seed)
        self.busy_until = dict.fromkeys(self.taps, 0.0)
        self.port_of = {}  # by MAC address
        self.cut = set()
        self.queue = []  # (due, number, port, frame)
        self.number = itertools.count()

    def forward(self, source, frame):
        if self.taps[source] in self.cut or (self.loss and self.random.random() < self.loss):
            return
        self.port_of[frame[6:12]] = source
        known = self.port_of.get(frame[:6])
        now = time.monotonic()
        for port in [known] if known is not None else [p for p in self.taps if p != source]:
            if (self.busy_until[port] - now) > QUEUE_BYTES * self.seconds_per_byte > 0:
                continue
            self.busy_until[port] = (max(self.busy_until[port], now)
                                     + len(frame) * self.seconds_per_byte)
            heapq.heappush(self.queue, (self.busy_until[port] + self.delay, next(self.number),
                                        port, frame))

    def deliver(self):
        """Writes what is due; returns the seconds until the next frame is, None without one."""
        now = time.monotonic()
        while self.queue and self.queue[0][0] <= now:
            _, _, port, frame = heapq.heappop(self.queue)
            if self.taps[port] not in self.cut:
                try:
                    os.write(port, frame)
                except OSError:  # an interface that is down or full
                    pass
        return max(0.0, self.queue[0][0] - now) if self.queue else None

    def order(self, words):
        {"cut": self.cut.add, "heal": self.cut.discard}[words[0]](words[1])

    def run(self):
        print("ready", flush=True)
        while True:
            for file in select.select([*self.taps, 0], [], [], self.deliver())[0]:
                if file == 0:
                    text = os.read(0, 4096).decode()
                    if not text:
                        return
                    for line in text.splitlines():
                        self.order(line.split())
                    continue
                try:
                    while True:
                        self.forward(file, os.read(file, 65536))
                except BlockingIOError:
                    pass
                except OSError:  # not up yet
                    time.sleep(0.001)


def main():
    parser = argparse.ArgumentParser()
    for name in ("mbit", "delay-ms", "loss-percent"):
        parser.add_argument("--" + name, type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("namespaces", nargs="+")
    Switch(parser.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
