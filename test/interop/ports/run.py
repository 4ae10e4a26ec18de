#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""src/ports against a real kernel: ports_lab on a veth in one namespace, a peer in another.

Usage: run.py PORTS_LAB [--only REGEX] [--verbose]
Exit code 77: cannot run here (not root).
"""
import argparse
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from guest import ping_from  # noqa: E402
from lab import NO_OFFLOAD, LabError, NetNs, sh, wait_until  # noqa: E402

OURS, PEER = "192.0.2.254", "192.0.2.1"
VLAN_OURS, VLAN_PEER = "198.51.100.254", "198.51.100.1"
PEER_MAC = "02:00:00:00:00:01"
CASES = []


def case(fn):
    CASES.append(fn)
    return fn


def check(ok, text):
    if not ok:
        raise AssertionError(text)


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def arp_request(mac, sender, target):
    return (b"\xff" * 6 + mac_bytes(mac) + b"\x08\x06" +
            struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac_bytes(mac) +
            socket.inet_aton(sender) + bytes(6) + socket.inet_aton(target))


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def echo_request(src, dst, payload=b"x" * 32):
    icmp = struct.pack("!BBHHH", 8, 0, 0, 7, 1) + payload
    icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(icmp), 1, 0, 64, 1, 0,
                     socket.inet_aton(src), socket.inet_aton(dst))
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + icmp


def tagged(frame, vlan):
    return frame[:12] + struct.pack("!HH", 0x8100, vlan) + frame[12:]


class Program:
    """ports_lab: its lines are kept, commands go to its standard input."""

    def __init__(self, ns, exe, *args):
        self.lines, self.log = [], []
        self.proc = ns.popen(exe, *args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        for stream, kept in ((self.proc.stdout, self.lines), (self.proc.stderr, self.log)):
            threading.Thread(target=self._read, args=(stream, kept), daemon=True).start()

    @staticmethod
    def _read(stream, kept):
        for line in stream:
            kept.append(line.rstrip("\n"))

    def seen(self, pattern, since=0):
        return [x for x in self.lines[since:] if re.fullmatch(pattern, x)]

    def expect(self, pattern, timeout=5, since=0):
        found = wait_until(lambda: self.seen(pattern, since), timeout, 0.02)
        check(found, f"no line like '{pattern}' in {timeout} s")
        return found[0]

    def command(self, text):
        since = len(self.lines)
        self.proc.stdin.write(text + "\n")
        self.proc.stdin.flush()
        self.expect("done " + text.split()[0], since=since)
        return since

    def quit(self):
        if self.proc.poll() is None:
            self.proc.stdin.close()
        return self.proc.wait(20)

    def kill(self):
        self.proc.kill()
        self.proc.wait(10)


class Net:
    """Two namespaces and a veth between them; wan0 is the appliance's end."""

    def __init__(self, exe):
        self.exe, self.programs = exe, []
        prefix = f"spports{os.getpid():x}"
        self.app, self.peer = NetNs(prefix + "-app"), None
        try:
            self.peer = NetNs(prefix + "-peer")
            self.app.ip("link", "add", "wan0", "type", "veth", "peer", "name", "p0", "address",
                        PEER_MAC, "netns", self.peer.name)
            self.peer.ip("addr", "add", PEER + "/24", "dev", "p0")
            self.peer.ip("link", "set", "p0", "up")
            self.peer.run("ethtool", "-K", "p0", *NO_OFFLOAD)
        except BaseException:
            self.close()
            raise

    def start(self, *args, device="net_af_packet0,iface=wan0", ready=True):
        args = args or ("-a", OURS + "/24")
        p = Program(self.app, self.exe, "-p", "wan=" + device, *args)
        self.programs.append(p)
        if ready:
            p.expect("ready", 20)
        return p

    def raw(self):
        """A packet socket on the peer's end."""
        def make():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            s.bind(("p0", 0))
            s.settimeout(0.1)
            s.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA: tags that the kernel took off
            return s
        return self.peer.call(make)

    def collect(self, sock, seconds):
        """(VLAN or 0, frame) of what comes in."""
        end, out = time.monotonic() + seconds, []
        while time.monotonic() < end:
            try:
                data, anc, _, addr = sock.recvmsg(2048, 256)
            except socket.timeout:
                continue
            if addr[2] == socket.PACKET_OUTGOING:
                continue
            vlan = 0
            for level, kind, aux in anc:
                if (level, kind) == (263, 8):
                    status, tci = struct.unpack_from("=I12xH", aux)  # struct tpacket_auxdata
                    vlan = tci & 0xfff if status & 0x10 else 0  # TP_STATUS_VLAN_VALID
            out.append((vlan, data))
        return out

    def answers(self, sock, is_one, n):
        """The (VLAN, frame) among those that come in that is_one is true of: waits for n, and then half
        a second for one too many."""
        got = []

        def enough():
            got.extend(x for x in self.collect(sock, 0.05) if is_one(x[1]))
            return len(got) >= n
        wait_until(enough, 5, 0)
        return got + [x for x in self.collect(sock, 0.5) if is_one(x[1])]

    def ping(self, target, count=2):
        return ping_from(self.peer, target, count=count, interval=0.2).ok

    def app_links(self):
        return [x.split(":")[1].strip().split("@")[0]
                for x in self.app.ip("-o", "link").splitlines()]

    def ruleset(self):
        return self.app.run("nft", "list", "ruleset").strip()

    def close(self):
        for p in self.programs:
            if p.proc.poll() is None:
                p.kill()
        for ns in (self.peer, self.app):
            if ns is not None:
                ns.delete()


# ---- cases ----

@case
def ping_and_one_arp_reply(net):
    """The kernel answers by the twin, and by nothing else."""
    p = net.start()
    check(net.ping(OURS), "the port's address does not answer")
    s = net.raw()
    for _ in range(3):
        s.send(arp_request(PEER_MAC, PEER, OURS))
    replies = net.answers(s, lambda f: f[12:14] == b"\x08\x06" and f[20:22] == b"\x00\x02", 3)
    check(len(replies) == 3, f"{len(replies)} replies to 3 ARP requests")
    s.close()
    check("sallyport_wan0" in net.ruleset(), "no nftables table while it runs")
    check(p.quit() == 0, "it failed")


@case
def first_frame_is_not_lost(net):
    """The device was down: still the first frame that we send goes out at once."""
    net.app.ip("link", "set", "wan0", "down")
    net.start()
    s = net.raw()
    s.send(arp_request(PEER_MAC, PEER, OURS))
    check(net.answers(s, lambda f: f[20:22] == b"\x00\x02", 1), "no ARP reply")
    s.close()


@case
def all_is_gone_afterwards(net):
    """Twins, routes and nftables go with an orderly end; the device is as it was."""
    net.app.ip("link", "set", "wan0", "down", "mtu", "1450")
    net.app.sysctl("net.ipv6.conf.wan0.disable_ipv6", 0)
    p = net.start("-a", OURS + "/24", "-v", "100", "-a", VLAN_OURS + "/24", "-P",
                  "10.64.0.0,10.64.0.255")
    check(sorted(net.app_links()) == ["lo", "sp-sub", "wan", "wan.100", "wan0"],
          f"links: {net.app_links()}")
    show = net.app.ip("link", "show", "wan0")
    check("mtu 1500" in show and ",UP" in show, f"the device is not prepared: {show}")
    check(p.quit() == 0, "it failed")
    check(sorted(net.app_links()) == ["lo", "wan0"], f"left over: {net.app_links()}")
    check(net.ruleset() == "", "nftables rules are left over")
    show = net.app.ip("link", "show", "wan0")
    check("mtu 1450" in show and ",UP" not in show, f"the device is not as it was: {show}")
    check(net.app.run("cat", "/proc/sys/net/ipv6/conf/wan0/disable_ipv6").strip() == "0",
          "disable_ipv6 is not put back")


@case
def killed_leaves_nothing(net):
    """Also after SIGKILL nothing stands in the way, and the next start works."""
    p = net.start()
    p.kill()
    check(wait_until(lambda: sorted(net.app_links()) == ["lo", "wan0"] and net.ruleset() == "", 5),
          f"left over: {net.app_links()} {net.ruleset()}")
    net.start()
    check(net.ping(OURS), "no answer after the second start")


@case
def vlan_subinterface(net):
    """Tagged frames reach the sub-interface's twin, answers carry the tag, others see nothing."""
    net.start("-a", OURS + "/24", "-v", "100", "-a", VLAN_OURS + "/24")
    s = net.raw()
    s.send(tagged(arp_request(PEER_MAC, VLAN_PEER, VLAN_OURS), 100))
    replies = net.answers(s, lambda f: f[20:22] == b"\x00\x02", 1)
    check(len(replies) == 1 and replies[0][0] == 100, f"ARP replies: {replies}")
    ours = replies[0][1][6:12]
    frame = ours + mac_bytes(PEER_MAC) + b"\x08\x00" + echo_request(VLAN_PEER, VLAN_OURS)
    s.send(tagged(frame, 100))
    echoes = net.answers(s, lambda f: f[12:14] == b"\x08\x00" and f[34] == 0, 1)
    check([v for v, _ in echoes] == [100], f"tags of the echo replies: {echoes}")
    # The untagged interface does not have that address, and another tag is nobody's.
    s.send(arp_request(PEER_MAC, VLAN_PEER, VLAN_OURS))
    s.send(tagged(arp_request(PEER_MAC, VLAN_PEER, VLAN_OURS), 101))
    replies = [f for _, f in net.collect(s, 0.5) if f[20:22] == b"\x00\x02"]
    check(not replies, "an interface answers for another's address")
    s.close()


@case
def routes_follow_the_kernel(net):
    """What is there at the start, what is added, replaced, removed, and silently dropped."""
    p = net.start("-a", OURS + "/24", "-r", "203.0.113.0/24," + PEER, "-P",
                  "10.64.0.1,10.64.0.6", "-L", "10.64.255.1")
    for line in ("192.0.2.0/24 connected wan", f"{OURS}/32 local wan", "192.0.2.255/32 local wan",
                 f"203.0.113.0/24 via wan {PEER}", "10.64.0.1/32 subscriber -",
                 "10.64.0.2/31 subscriber -", "10.64.0.4/31 subscriber -",
                 "10.64.0.6/32 subscriber -", "10.64.255.1/32 local -"):
        check(p.seen("route " + re.escape(line)), f"not there at the start: {line}")
    check(not p.seen(r"route 127\..*"), "the loopback network is routed")

    def route(*args, then):
        since = len(p.lines)
        net.app.ip("route", *args)
        p.expect(re.escape(then), since=since)

    route("add", "default", "via", PEER, "metric", "50", then=f"route 0.0.0.0/0 via wan {PEER}")
    route("add", "default", "via", "192.0.2.2", "metric", "10",
          then="route 0.0.0.0/0 via wan 192.0.2.2")
    route("del", "default", "metric", "10", then=f"route 0.0.0.0/0 via wan {PEER}")
    route("replace", "default", "via", "192.0.2.3", "metric", "50",
          then="route 0.0.0.0/0 via wan 192.0.2.3")
    # A better one that is not ours to use, in place of ours.
    route("replace", "default", "dev", "lo", "metric", "50", then="noroute 0.0.0.0/0")
    route("add", "blackhole", "203.0.113.128/25", then="route 203.0.113.128/25 blackhole -")
    route("del", "blackhole", "203.0.113.128/25", then="noroute 203.0.113.128/25")
    route("add", "198.18.0.0/24", "nexthop", "dev", "lo", "nexthop", "via", PEER,
          then=f"route 198.18.0.0/24 via wan {PEER}")
    since = len(p.lines)
    net.app.ip("addr", "add", "198.51.100.9/32", "dev", "lo")
    p.expect(r"route 198\.51\.100\.9/32 local -", since=since)
    # The kernel says nothing about routes that go with a link or an address.
    since = len(p.lines)
    net.app.ip("link", "set", "wan", "down")
    p.expect(r"noroute 203\.0\.113\.0/24", since=since)
    p.expect(r"noroute 192\.0\.2\.0/24", since=since)
    since = len(p.lines)
    net.app.ip("link", "set", "wan", "up")
    p.expect("route 192.0.2.0/24 connected wan", since=since)
    net.app.ip("route", "add", "203.0.113.0/24", "via", PEER, "src", OURS)
    p.expect(f"route 203.0.113.0/24 via wan {PEER}", since=since)
    since = len(p.lines)
    net.app.ip("addr", "del", OURS + "/24", "dev", "wan")
    p.expect(r"noroute 203\.0\.113\.0/24", since=since)
    p.expect(r"noroute 192\.0\.2\.254/32", since=since)


@case
def pool_routes_come_and_go(net):
    """Routes for framed addresses at run time, and packets of the kernel to subscribers."""
    p = net.start("-a", OURS + "/24", "-P", "10.64.0.0,10.64.0.255")
    since = p.command("routes 10.65.0.0 10.65.1.255")
    p.expect(r"route 10\.65\.0\.0/23 subscriber -", since=since)
    since = p.command("noroutes 10.65.0.0 10.65.1.255")
    p.expect(r"noroute 10\.65\.0\.0/23", since=since)
    since = len(p.lines)
    net.app.run("ping", "-c", "1", "-W", "1", "10.64.0.7", check=False)
    p.expect(r"ip to 10\.64\.0\.7 length 84", since=since)


@case
def many_routes_survive_lost_messages(net):
    """More changes than the socket holds: afterwards all is as the kernel has it."""
    p = net.start()
    n, script = 60000, "/tmp/spports-routes-" + str(os.getpid())
    os.kill(p.proc.pid, 19)  # SIGSTOP: it cannot read
    try:
        with open(script, "w", encoding="ascii") as f:
            for i in range(n):
                f.write(f"route add 10.{128 + (i >> 16)}.{i >> 8 & 255}.{i & 255}/32 via {PEER}\n")
        net.app.ip("-batch", script, timeout=60)
    finally:
        os.unlink(script)
        os.kill(p.proc.pid, 18)  # SIGCONT
    # With the three of the port's own: subnet, address, broadcast.
    def all_there():
        since = p.command("info")
        return p.seen(rf"kernel routes {n + 3} .*", since)
    check(wait_until(all_there, 20, 0.5), "not all routes: " + str(p.seen("kernel .*")[-1:]))
    line = p.seen("kernel .*")[-1]
    check(int(re.search(r"resyncs (\d+)", line)[1]) >= 2, "messages were not lost: " + line)


@case
def neighbours_are_resolved(net):
    """A next hop that the data plane asks for; one that is not there; one that moves."""
    p = net.start()
    since = p.command("resolve 0 " + PEER)
    p.expect(f"neigh wan {PEER} {PEER_MAC}", 3, since)
    # Known by now: the data plane is told at once, without asking the wire.
    since = p.command("resolve 0 " + PEER)
    p.expect(f"neigh wan {PEER} {PEER_MAC}", 1, since)
    s = net.raw()
    since = p.command("resolve 0 192.0.2.77")
    asked = [f for _, f in net.collect(s, 2.5)
             if f[12:14] == b"\x08\x06" and f[38:42] == socket.inet_aton("192.0.2.77")]
    s.close()
    check(len(asked) >= 2, f"{len(asked)} ARP requests for the next hop")
    p.expect("neigh wan 192.0.2.77 none", 5, since)
    since = len(p.lines)
    net.peer.ip("link", "set", "p0", "address", "02:00:00:00:00:99")
    s = net.raw()
    s.send(arp_request("02:00:00:00:00:99", PEER, OURS))
    p.expect(f"neigh wan {PEER} 02:00:00:00:00:99", 5, since)
    s.close()
    since = len(p.lines)
    net.app.ip("neigh", "del", PEER, "dev", "wan")
    p.expect(f"neigh wan {PEER} none", 5, since)


@case
def stale_neighbours_are_confirmed(net):
    """The kernel sees none of the data plane's packets: it is asked to confirm neighbours."""
    p = net.start()
    net.app.sysctl("net.ipv4.neigh.wan.base_reachable_time_ms", 1000)
    net.app.sysctl("net.ipv4.neigh.wan.delay_first_probe_time", 1)
    since = p.command("resolve 0 " + PEER)
    p.expect(f"neigh wan {PEER} {PEER_MAC}", 3, since)
    # It goes away: asked to confirm it, the kernel finds out, and so does the data plane.
    s = net.raw()
    net.peer.ip("addr", "del", PEER + "/24", "dev", "p0")

    def probed():
        return [1 for _, f in net.collect(s, 0.5) if f[12:14] == b"\x08\x06" and
                f[20:22] == b"\x00\x01" and f[38:42] == socket.inet_aton(PEER)]
    check(wait_until(probed, 40, 0), "the neighbour is never asked")
    s.close()
    p.expect(f"neigh wan {PEER} none", 15, since)


@case
def link_state_reaches_the_twin(net):
    """The wire is down: the twin has no carrier, so routing daemons know."""
    net.start()
    def carrier():
        return "NO-CARRIER" not in net.app.ip("link", "show", "wan")
    check(carrier(), "no carrier though the link is up")
    net.peer.ip("link", "set", "p0", "down")
    check(wait_until(lambda: not carrier(), 3), "the twin does not follow the link")
    net.peer.ip("link", "set", "p0", "up")
    check(wait_until(carrier, 3), "the carrier does not come back")


@case
def distribution_is_what_the_driver_grants(net):
    """No virtual device steers by SPI: what the driver said is told, and software does it."""
    why = r"the driver takes no flow rules(; .*)?"
    for device, how in (("net_af_packet0,iface=wan0", "as the device spreads it"),
                        ("net_null0", "hash of addresses")):
        p = net.start("-w", "2", "-a", OURS + "/24", device=device)
        since = p.command("info")
        check(p.seen(rf"spread wan: ESP: {how} \({why}\), 0 rules", since), device + ": ESP")
        check(p.seen(r"spread wan: all other: .* does not name its owner.*", since), device)
        p.quit()


@case
def af_xdp_port(net):
    """The same on an XDP socket, which takes the frames away from the kernel."""
    p = net.start(device="net_af_xdp0,iface=wan0", ready=False)
    if not wait_until(lambda: p.seen("ready") or p.proc.poll() is not None, 20) or \
            p.proc.poll() is not None:
        raise LabError("skip: no XDP sockets here")
    check(net.ping(OURS), "the port's address does not answer")
    check(net.ruleset() == "", "needless nftables rules")


@case
def refusals(net):
    """What cannot work ends with one sentence and leaves nothing."""
    def refused(text, *args, clean=True, **kw):
        p = net.start(*args, ready=False, **kw)
        check(wait_until(lambda: p.proc.poll() is not None, 20), "it runs: " + text)
        check(p.proc.returncode != 0, "no exit code: " + text)
        check(wait_until(lambda: any(text in x and " error " in x for x in p.log), 1),
              f"not said: {text}: {p.log}")
        check(not clean or net.ruleset() == "", "rules left: " + text)

    refused("there is no interface nowhere0", device="net_af_packet0,iface=nowhere0")
    refused("names no iface=", device="net_af_packet0")
    net.app.ip("link", "add", "wan", "type", "veth", "peer", "name", "wanp")
    refused("there is an interface of that name")
    net.app.ip("link", "del", "wan")
    refused("needs buffers of", "-m", "9000", "-a", OURS + "/24")
    refused("no port is on the gateway's subnet", "-a", OURS + "/24", "-r",
            "203.0.113.0/24,198.51.100.77")
    first = net.start()
    refused("another Sallyport has it", clean=False)
    check(net.ping(OURS), "the first one suffers from the second")
    check(first.quit() == 0, "it failed")


def run(exe, fn, verbose):
    net = Net(exe)
    try:
        fn(net)
        return "pass", ""
    except LabError as e:
        if str(e).startswith("skip: "):
            return "skip", str(e)[6:]
        why = str(e)
    except Exception as e:  # whatever it is, the case failed
        why = f"{type(e).__name__}: {e}"
        if verbose:
            traceback.print_exc()
    finally:
        net.close()
    for p in net.programs:
        print("    " + "\n    ".join(p.lines[-15:] + p.log[-15:]))
    return "fail", why


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("exe")
    ap.add_argument("--only", default="")
    ap.add_argument("--verbose", action="store_true")
    args = ap.parse_args()
    if os.geteuid() != 0:
        print("needs root for network namespaces")
        sys.exit(77)
    counts = {"pass": 0, "fail": 0, "skip": 0}
    for fn in CASES:
        if not re.search(args.only, fn.__name__):
            continue
        begin = time.monotonic()
        status, why = run(os.path.realpath(args.exe), fn, args.verbose)
        counts[status] += 1
        print(f"{status} {fn.__name__} ({time.monotonic() - begin:.1f} s) {why}", flush=True)
    ran = counts["pass"] + counts["fail"]
    # The line of CUnit's summary: total, ran, passed, failed, inactive.
    print(f"tests {sum(counts.values())} {ran} {counts['pass']} {counts['fail']} {counts['skip']}")
    sys.exit(1 if counts["fail"] else 0)


main()
