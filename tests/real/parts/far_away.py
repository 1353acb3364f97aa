#!/usr/bin/env python3
"""A place from which this machine is far away: a network namespace whose packets take their time, both ways.

Two TAP devices, one on either side, and in between this process, which holds each frame back. So connecting takes a
round trip as well, which a proxy that delays what is said can't imitate. Needs root and iproute2.

Run as a program, with the name of the namespace and the round trip in milliseconds, it prints the address of this
machine as seen from there, and takes everything down when its standard input ends. What shall run there is started
with: ip netns exec NAME ...
"""

import collections
import fcntl
import os
import select
import struct
import subprocess
import sys
import threading
import time

TUNSETIFF = 0x400454CA
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000
FRAME_BYTES = 65536


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def tap(name):
    """Makes a TAP device, which is there as long as this file is open."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    return device


class FarAway:
    """The namespace, while it is entered; `address` is this machine's as seen from there."""

    def __init__(self, name, round_trip_ms):
        self.name = name
        self.delay = round_trip_ms / 2000
        # Of the addresses for measurements (RFC 2544) a net of four for each process.
        number = os.getpid() % (1 << 15)
        self.net = f"198.{18 + (number >> 14)}.{number >> 6 & 255}"
        self.first = number << 2 & 255
        self.address = f"{self.net}.{self.first + 1}"
        self.ended = threading.Event()

    def __enter__(self):
        near, far = f"near{os.getpid()}", f"far{os.getpid()}"
        ip("netns", "add", self.name)
        self.devices = (tap(near), tap(far))
        ip("link", "set", far, "netns", self.name)
        ip("address", "add", f"{self.address}/30", "dev", near)
        ip("link", "set", near, "up")
        ip("-netns", self.name, "address", "add", f"{self.net}.{self.first + 2}/30", "dev", far)
        ip("-netns", self.name, "link", "set", far, "up")
        ip("-netns", self.name, "link", "set", "lo", "up")
        self.thread = threading.Thread(target=self.carry)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        for device in self.devices:
            os.close(device)
        ip("netns", "delete", self.name)

    def carry(self):
        """Passes on each frame when its time has come."""
        near, far = self.devices
        other = {near: far, far: near}
        under_way = collections.deque()
        while not self.ended.is_set():
            wait = under_way[0][0] - time.monotonic() if under_way else 0.05
            readable, _, _ = select.select([near, far], [], [], max(wait, 0))
            now = time.monotonic()
            for device in readable:
                under_way.append((now + self.delay, other[device], os.read(device, FRAME_BYTES)))
            while under_way and under_way[0][0] <= now:
                _, device, frame = under_way.popleft()
                try:
                    os.write(device, frame)
                except OSError:
                    # The device is not up yet, or no longer: TCP says it again.
                    pass


def main():
    name, round_trip_ms = sys.argv[1:]
    with FarAway(name, float(round_trip_ms)) as place:
        print(place.address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
