#!/usr/bin/env python3
"""What one more pod costs a node proxy: memory, descriptors, CPU of its add, time to the answer.

bench/pods.py [--pods 250] [--binary artifacts/native/ztunnel]      root; loopback and own namespaces only

A node agent of its own hands as many empty namespaces over as asked, waits until the process is quiet, and deletes them again. Prints one line of figures; exit code 1 when one misses its budget,
unless --tsv names a file that gets the lines for the table of bench/run.sh instead.
"""
import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Design section 5 and the wishes of in-pod mode; the existing program: 81 KiB, 8 descriptors, 0.1 s.
BUDGETS = (
    ("KiB for each of 250 pods", 24), ("descriptors for each of 250 pods", 8), ("CPU s for the adds of 250 pods", 0.3), ("slowest answer to an add, s", 0.5),
    # One pod measured, nine more of the same price.
    ("MiB at rest, 10 pods", 20),
)
PREFIX = f"zt-pods-{os.getpid()}"


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def field(number, text):
    return bytes([number << 3 | 2, len(text)]) + text.encode()


def wrap(number, payload):
    return bytes([number << 3 | 2, len(payload)]) + payload


def add_of(name):
    return wrap(1, field(1, f"uid-{name}") + wrap(2, field(1, name) + field(2, "default") + field(3, "app")))


def resident_kib(pid):
    return int(re.search(r"^Rss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])


def delete_of(name):
    return wrap(2, field(2, f"uid-{name}"))


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def settle(pid, seconds=90):
    """Waits until memory no longer shrinks: idle memory is given back at a look every 30 seconds."""
    low, since = resident_kib(pid), time.monotonic()
    end = since + seconds
    while time.monotonic() < end and time.monotonic() - since < 40:
        time.sleep(0.5)
        now = resident_kib(pid)
        if now < low - 64:
            low, since = now, time.monotonic()
    return resident_kib(pid)


def ask(agent, message, descriptor=None):
    begun = time.monotonic()
    socket.send_fds(agent, [message], [] if descriptor is None else [descriptor])
    answer = agent.recv(1024)
    if answer != b"\x0a\x00":
        sys.exit(f"refused: {answer!r}")
    return time.monotonic() - begun


def measure(options, folder, names):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"{folder}/zds.sock")
    listener.listen()
    Path(f"{folder}/mesh.yaml").write_text("workloads: []\n")
    environment = {
        "PATH": os.environ["PATH"], "NODE_NAME": "bench", "XDS_ADDRESS": "", "LOCAL_XDS_PATH": f"{folder}/mesh.yaml", "FAKE_CA": "true", "ZTUNNEL_FAKE_CA_ROOT": f"{folder}/root.pem", "INPOD_UDS": f"{folder}/zds.sock",
        "ISTIO_META_DNS_CAPTURE": str(options.dns).lower(), "RUST_LOG": "warn",
    }
    proxy = subprocess.Popen(["ip", "netns", "exec", f"{PREFIX}-node", options.binary, "proxy"], env=environment, stdout=subprocess.DEVNULL)
    try:
        listener.settimeout(20)
        agent, _ = listener.accept()
        agent.settimeout(10)
        if agent.recv(16) != b"\x08\x01":
            sys.exit("no hello")
        ask(agent, b"\x1a\x00")
        handles = {name: os.open(f"/run/netns/{name}", os.O_RDONLY) for name in names}
        # The first pod brings what is made once; the others come and go once, since memory is given back at rest only when that is worth it: before and after are read behind such a rest.
        for name in names:
            ask(agent, add_of(name), handles[name])
        for name in names[1:]:
            ask(agent, delete_of(name))
        memory, files, cpu = settle(proxy.pid), descriptors(proxy.pid), cpu_seconds(proxy.pid)
        begun = time.monotonic()
        slowest = max(ask(agent, add_of(name), handles[name]) for name in names[1:])
        elapsed, spent = time.monotonic() - begun, cpu_seconds(proxy.pid) - cpu
        count = len(names) - 1
        held = descriptors(proxy.pid)
        kib = (settle(proxy.pid) - memory) / count
        figures = (kib, (held - files) / count, spent * 250 / count, slowest, (memory + 9 * kib) / 1024)
        print(
            f"{count} pods: {figures[0]:.1f} KiB and {figures[1]:.1f} descriptors each; adding 250 takes {figures[2]:.2f} s of CPU, here {elapsed:.2f} s in all; "
            f"slowest answer {slowest * 1000:.0f} ms; at rest before {memory / 1024:.1f} MiB")
        for name in names:
            ask(agent, delete_of(name))
        return figures
    finally:
        proxy.terminate()
        proxy.wait(20)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pods", type=int, default=250)
    parser.add_argument("--dns", action="store_true", help="with DNS capture, which adds its own sockets")
    parser.add_argument("--binary", default=str(Path(__file__).parent.parent / "artifacts/native/ztunnel"))
    parser.add_argument("--tsv", help="append the figures to this file, as bench/run.sh reads them")
    options = parser.parse_args()
    names = [f"{PREFIX}-{number}" for number in range(options.pods + 1)]
    made = []
    try:
        for name in [f"{PREFIX}-node", *names]:
            run("ip", "netns", "add", name)
            made.append(name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        with tempfile.TemporaryDirectory() as folder:
            figures = measure(options, folder, names)
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "delete", name], check=False)
    if options.tsv:
        suffix = " with DNS capture" if options.dns else ""
        with open(options.tsv, "a") as table:
            table.writelines(f"{what}{suffix}\tat-most\t{budget}\t{figure:.3f}\n" for (what, budget), figure in zip(BUDGETS, figures))
        return
    missed = [f"{what}: {figure:.2f} > {budget}" for (what, budget), figure in zip(BUDGETS, figures) if figure > budget]
    for line in missed:
        print("missed", line)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
