"""A bad wire: moves Ethernet frames between two TAP devices and loses, doubles, delays and reorders some of them on the way. What `tc netem` does, for kernels that lack it.

`wire.py DEVICE DEVICE LOSS DOUBLED LATE DELAY`: shares of 100 of the frames that are lost, doubled, or come so late that others overtake them; the delay of all in milliseconds, each way. Makes the devices, prints
"ready", then whoever started it puts them into the namespaces that are to be joined: a device that is moved keeps its descriptor.
"""
import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
FRAME_BYTES = 65536
# A second of frames at any rate this program reaches: what does not fit is lost, as on a wire.
QUEUE_FRAMES = 20_000
LATE_FACTOR = 4


def open_tap(name):
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return descriptor


def main(first, second, loss, doubled, late, delay):
    ends = {open_tap(first): None, open_tap(second): None}
    one, other = ends
    ends[one], ends[other] = other, one
    chance = random.Random(7)
    waiting, number = [], 0
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        readable, _, _ = select.select(list(ends), [], [], max(0, waiting[0][0] - now) if waiting else None)
        now = time.monotonic()
        for end in readable:
            while True:
                try:
                    frame = os.read(end, FRAME_BYTES)
                except BlockingIOError:
                    break
                if chance.random() < loss or len(waiting) >= QUEUE_FRAMES:
                    continue
                for _ in range(2 if chance.random() < doubled else 1):
                    due = now + delay * (LATE_FACTOR if chance.random() < late else 1)
                    number += 1
                    heapq.heappush(waiting, (due, number, ends[end], frame))
        while waiting and waiting[0][0] <= now:
            _, _, end, frame = heapq.heappop(waiting)
            try:
                os.write(end, frame)
            except BlockingIOError:
                pass
            except OSError:
                # The device is down or moves at this moment.
                pass


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *(float(share) / 100 for share in sys.argv[3:6]), float(sys.argv[6]) / 1000)
