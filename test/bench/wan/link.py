"""A line between two network namespaces, in user space, because not every kernel has netem.

    link.py DELAY_MS RATE_MBIT MTU QUEUE_MS

Makes two namespaces without names, which end with this process, joins them by a pair of TUN devices (10.97.0.1 and
10.97.0.2) and prints `up FD1 FD2`: /proc/PID/fd/FD1 and FD2 lead into them (`nsenter --net=`). DELAY_MS is one way,
RATE_MBIT 0 is no limit, packets that would wait longer than QUEUE_MS for the line are dropped. On SIGUSR1 the line is
cut, on SIGUSR2 joined again. Ends when its standard input ends, so that it never outlives whoever started it.
"""

import collections
import ctypes
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
# Packets taken from one device before the other one gets its turn.
BATCH = 64
# What TCP may keep of one connection, in bytes.
MAX_BUFFER = 32 * 1024 * 1024

delay_s = float(sys.argv[1]) / 1_000
bytes_per_s = float(sys.argv[2]) * 1_000_000 / 8
mtu = int(sys.argv[3])
queue_s = float(sys.argv[4]) / 1_000

libc = ctypes.CDLL(None, use_errno=True)


def enter_new_namespace():
    """Moves this process into a new namespace, and gives a file that keeps it and leads into it."""
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    # The system's default of 4 MiB holds one connection at 50 ms of round trip below 70 MB/s, whatever runs over it.
    for name in ("tcp_rmem", "tcp_wmem"):
        with open(f"/proc/sys/net/ipv4/{name}", "w") as file:
            file.write(f"4096 131072 {MAX_BUFFER}")
    namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
    os.set_inheritable(namespace, True)
    return namespace


def open_device(address, peer):
    """A TUN device in the namespace that this process is in."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", b"wan0", IFF_TUN | IFF_NO_PI))
    for command in (
        f"ip address add {address} peer {peer} dev wan0",
        f"ip link set wan0 up mtu {mtu} txqueuelen 10000",
        "ip link set lo up",
    ):
        subprocess.run(command.split(), check=True, stdin=subprocess.DEVNULL)
    return device


class Direction:
    """Packets on their way from one device to the other, in order."""

    def __init__(self, source, target):
        self.source = source
        self.target = target
        self.free_at = 0.0
        self.packets = collections.deque()

    def take(self, cut):
        """Reads what has come and notes when it is due at the other end."""
        now = time.monotonic()
        for _ in range(BATCH):
            try:
                packet = os.read(self.source, 65_536)
            except BlockingIOError:
                return
            if cut:
                continue
            leaves_at = now
            if bytes_per_s:
                leaves_at = max(self.free_at, now) + len(packet) / bytes_per_s
                if leaves_at - now > queue_s:
                    continue
                self.free_at = leaves_at
            self.packets.append((leaves_at + delay_s, packet))

    def deliver(self, cut):
        """Writes what is due, and gives the time of what comes next."""
        now = time.monotonic()
        while self.packets:
            due_at, packet = self.packets[0]
            if due_at > now:
                return due_at
            self.packets.popleft()
            if cut:
                continue
            try:
                os.write(self.target, packet)
            except OSError:
                pass  # The device's own queue is full: a packet is lost, as on any line.
        return None


def main():
    namespace_a = enter_new_namespace()
    device_a = open_device("10.97.0.1", "10.97.0.2")
    namespace_b = enter_new_namespace()
    device_b = open_device("10.97.0.2", "10.97.0.1")

    state = {"cut": False}
    signal.signal(signal.SIGUSR1, lambda *_: state.update(cut=True))
    signal.signal(signal.SIGUSR2, lambda *_: state.update(cut=False))
    print(f"up {namespace_a} {namespace_b}", flush=True)

    directions = {
        device_a: Direction(device_a, device_b),
        device_b: Direction(device_b, device_a),
    }
    poll = select.epoll()
    for file in (device_a, device_b, sys.stdin.fileno()):
        poll.register(file, select.EPOLLIN)
    while True:
        cut = state["cut"]
        due = [at for at in (d.deliver(cut) for d in directions.values()) if at is not None]
        wait_s = max(0.0, min(due) - time.monotonic()) if due else -1
        for file, _ in poll.poll(wait_s):
            if file not in directions:
                return
            directions[file].take(cut)


main()
