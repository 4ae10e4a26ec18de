# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""A real Linux client (xl2tpd, pppd, the kernel's PPP and L2TP) dials in."""
import json
import re

from daemon import Console, Daemon
from harness import FIXED_IP, FIXED_USER, SECRET, USERS, case
from guest import ping_from
from lab import CORE_HOST, POOL_LOCAL, ROOT, wait_until


def dial_and_ping(t, users=(USERS[0],), **kw):
    g = t.client(users, **kw)
    for i in range(len(users)):
        g.up(i)
    t.wait_counts(len(users), len(users))
    for i in range(len(users)):
        t.pings(g, i)
    return g


def hang_up_all(t, g, n=1):
    for i in range(n):
        g.hang_up(i)
    t.wait_counts(0, 0)


@case("dial-chap")
def dial_chap(t):
    """CHAP with MD5; kernel mode; pings of 56, 1300 and the most bytes, both ways"""
    g = dial_and_ping(t)
    assert "10.64." in g.ppp_ip() and g.ppp_mtu() >= 1450
    out = g.ppp_log()
    assert "CHAP authentication succeeded" in out, out
    hang_up_all(t, g)


@case("dial-pap")
def dial_pap(t):
    """PAP"""
    g = dial_and_ping(t, methods=("pap",))
    assert "PAP authentication succeeded" in g.ppp_log()
    hang_up_all(t, g)


@case("dial-mschapv2")
def dial_mschapv2(t):
    """MS-CHAPv2, the client checks our response too"""
    g = dial_and_ping(t, methods=("mschap-v2",))
    out = g.ppp_log()
    assert "auth chap MS-v2" in out and "CHAP authentication succeeded" in out, out
    hang_up_all(t, g)


@case("dial-userspace")
def dial_userspace(t):
    """xl2tpd carries the data itself (pty, asynchronous framing)"""
    g = dial_and_ping(t, userspace=True)
    hang_up_all(t, g)


@case("dial-secret")
def dial_secret(t):
    """tunnel authentication in both directions"""
    g = dial_and_ping(t, host_name="lac-secret", secret=SECRET)
    hang_up_all(t, g)


@case("dial-wrong-secret")
def dial_wrong_secret(t):
    """the wrong tunnel password gets no tunnel"""
    g = t.client(host_name="lac-secret", secret="not" + SECRET)
    g.dial()
    assert g.wait("text", "/run/l2tp/xl2tpd.log", 20, "Invalid authentication for host"), \
        g.l2tp_logs()
    assert not g.wait_up(timeout=4)
    t.wait_counts(0, 0)


@case("dial-wrong-password")
def dial_wrong_password(t):
    """a wrong password gets no session, a right one afterwards does"""
    for method in ("pap", "chap", "mschap-v2"):
        g = t.client([(USERS[0][0], "wrong")], methods=(method,))
        g.dial()
        assert g.wait_ppp_log("authentication failed"), g.l2tp_logs()
        t.wait_counts(None, 0)
        g.l2tp_stop()
    dial_and_ping(t)


@case("dial-unknown-user")
def dial_unknown_user(t):
    """an unknown name is refused as a wrong password is"""
    g = t.client([("nobody", "pass1")])
    g.dial()
    assert g.wait_ppp_log("authentication failed"), g.l2tp_logs()
    t.wait_counts(None, 0)


@case("dial-fixed-address")
def dial_fixed(t):
    """a user with a framed address gets that"""
    g = dial_and_ping(t, [FIXED_USER])
    assert g.ppp_ip() == FIXED_IP
    hang_up_all(t, g)


@case("dial-four")
def dial_four(t):
    """four users of one machine and one of another at once, each with an address of its own"""
    # Linux 6.1 cannot have several kernel-mode tunnels between the same two addresses and ports.
    g = t.client(USERS, userspace=True)
    h = t.client([USERS[0]], i=1)
    for i in range(4):
        g.up(i)
    h.up()
    t.wait_counts(5, 5)
    ips = [g.ppp_ip(i) for i in range(4)] + [h.ppp_ip()]
    assert len(set(ips)) == 5, ips
    for i in range(4):
        t.pings(g, i, sizes=(None,), count=3)
    t.pings(h, sizes=(None,), count=3)
    # subscriber to subscriber, through the appliance twice
    g.route(h.ppp_ip() + "/32", 0)
    h.route(g.ppp_ip(0) + "/32", 0)
    r = h.ping(g.ppp_ip(0), 1300)
    assert r.ok, r
    for i in range(4):
        g.hang_up(i)
    t.wait_counts(1, 1)
    t.pings(h, sizes=(56,), count=2)



@case("two-workers", config={"system": {"workers": 2}})
def two_workers(t):
    """the same with two workers: sessions of both work, also between each other"""
    dial_four(t)


@case("redial")
def redial(t):
    """hang up and dial again: the address comes back to the pool"""
    g = t.client()
    for _ in range(3):
        g.up()
        t.pings(g, sizes=(56,), count=2)
        g.hang_up()
        assert g.wait_down()
        t.wait_counts(0, 0)


@case("user-logs-out")
def user_logs_out(t):
    """pppd ends by itself: LCP Terminate is answered, the session goes"""
    g = dial_and_ping(t)
    g.kill_programs("pppd", sig="TERM", wait=0)
    assert g.wait_down()
    assert "Connection terminated" in g.ppp_log()
    t.wait_counts(None, 0)


@case("pppd-killed")
def pppd_killed(t):
    """pppd is killed: no LCP Terminate, the client's CDN is the first; it dials again at once"""
    g = dial_and_ping(t)
    for _ in range(3):
        g.kill_programs("pppd")
        t.wait_counts(None, 0)
        g.up()
        t.wait_counts(1, 1)
        t.pings(g, sizes=(56,), count=2)


@case("clear-session")
def clear_session(t):
    """an operator's clear ends the client's PPP in good order"""
    g = dial_and_ping(t)
    t.console("clear l2tp session all")
    assert g.wait_down(timeout=10), g.l2tp_logs()
    t.wait_counts(None, 0)


@case("stop-with-sessions")
def stop_with_sessions(t):
    """the daemon's end closes the tunnels first: the client hears of it at once"""
    g = dial_and_ping(t)
    assert t.daemon.stop() == 0
    assert g.wait_down(timeout=5), g.l2tp_logs()


def iperf(t, g, *args, udp=False):
    """One iperf3 run between the guest and the core host; its JSON."""
    server = t.lab.core.popen("iperf3", "-s", "-1", "-p", "5301",
                              stdout=-3, stderr=-3, stdin=-3)
    try:
        assert wait_until(lambda: ":5301" in t.lab.core.run("ss", "-ltn"), 5)
        out = g.run(f"iperf3 -J -c {CORE_HOST} -p 5301 -B {g.ppp_ip()} {'-u' if udp else ''} "
                    + " ".join(args), timeout=60)
        data = json.loads(out)
        assert "error" not in data, data["error"]
        return data["end"]
    finally:
        try:
            server.wait(5)
        except Exception:
            server.kill()
            server.wait()


@case("iperf-tcp", alone=True)
def iperf_tcp(t):
    """TCP both ways moves 8 MB each, MSS clamped to the session's MTU"""
    g = t.client()
    g.up()
    g.route("198.51.100.0/24")
    for way in ((), ("-R",)):
        end = iperf(t, g, "-n", "8M", *way)
        got = end["sum_received"]["bytes"]
        assert got >= 7 << 20, got


@case("iperf-udp", alone=True)
def iperf_udp(t):
    """UDP both ways: every packet sent arrives, and is counted"""
    g = t.client()
    g.up()
    g.route("198.51.100.0/24")
    for way in ((), ("-R",)):
        before, session, drops = at_rest(t), session_packets(t), end_drops(t, g)
        end = iperf(t, g, "-k", "3000", "-l", "1200", "-b", "12M", *way, udp=True)["sum"]
        # Packets that a busy end or its tap could not take are not the appliance's.
        drops = end_drops(t, g) - drops
        assert end["packets"] >= 3000 and end["lost_packets"] <= drops, (end, drops)
        assert session_packets(t)[len(way)] - session[len(way)] >= 3000
        # The appliance has seen what the wires have, and lost nothing.
        assert wait_until(lambda: uncounted(t) == before, 5), (uncounted(t), before)


def wire_packets(t):
    """Packets on both wires as the other ends count them: (into the appliance, out of it)."""
    ends = ((t.lab.access, "wan0p"), (t.lab.core, "core0p"))

    def total(way):
        return sum(int(ns.run("cat", "/proc/net/dev").split(dev + ":")[1].split()[way])
                   for ns, dev in ends)
    return total(9), total(1)


def uncounted(t):
    """By how many packets the wires' counts are ahead of the appliance's, (into it, out of it): always the
    same while nothing is under way."""
    return [w - a for w, a in zip(wire_packets(t), appliance_packets(t))]


def at_rest(t):
    """That, when nothing is: an ARP between two looks would be in one count alone."""
    looks = [uncounted(t)]

    def same():
        looks.append(uncounted(t))
        return looks[-1] == looks[-2]
    assert wait_until(same, 5, 0.1), looks
    return looks[-1]


def end_drops(t, g):
    """Packets that both ends have dropped: in the guest, on its tap, for want of a reader."""
    text = t.lab.access.ip("-s", "link", "show", g.tap) + g.run("ip -s link")
    numbers = re.findall(r"[RT]X:.*dropped.*\n\s+\d+ +\d+ +\d+ +(\d+)", text)
    counter = "nstat -asz UdpRcvbufErrors"
    for out in (g.run(counter), t.lab.core.run(*counter.split())):
        numbers += re.findall(r"UdpRcvbufErrors\s+(\d+)", out)
    return sum(map(int, numbers))


def appliance_packets(t):
    """(received, transmitted) packets as the appliance counts them; it must have dropped none."""
    text = t.console("show dataplane")
    n = {k: int(re.search(rf"^ *{k} +(\d+)", text, re.M)[1])
         for k in ("Received", "Transmitted", "Dropped")}
    assert n["Dropped"] == 0, t.console("show dataplane drops")
    return n["Received"], n["Transmitted"]


def session_packets(t):
    """(received, sent) packets of the only session, as the console shows them."""
    text = t.console("show l2tp session detail")
    got = [re.search(rf"^ *Data {way} +(\d+)", text, re.M) for way in ("rx", "tx")]
    assert all(got), text
    return [int(m[1]) for m in got]


@case("console-default", daemon=False)
def console_default(t):
    """conf/lab.cfg as shipped; the console answers on the caller's 127.0.0.1:2300"""
    t.daemon = Daemon(t.lab, t.folder, config_file=f"{ROOT}/conf/lab.cfg", port=2300)
    t.daemon.start()
    with Console(2300) as c:
        assert c.run("show l2tp tunnel") is not None
        assert "10.64" in c.run("show ip pool")
    g = t.client()
    g.up()
    t.pings(g)
    g.hang_up()
    assert g.wait_down()


@case("ping-appliance")
def ping_appliance(t):
    """the appliance's own addresses answer, on both sides, by ARP and ICMP of its kernel twins"""
    for ns, to in ((t.lab.access, "192.0.2.1"), (t.lab.core, "198.51.100.1")):
        if ns is t.lab.access:
            t.lab.add_access_ip("192.0.2.60")
        r = ping_from(ns, to)
        assert r.ok, r
    g = t.client()
    g.up()
    assert g.ping(POOL_LOCAL).ok


@case("too-big")
def too_big(t):
    """a DF packet too big for a session is answered with ICMP, one without DF arrives in pieces"""
    g = t.client(mtu=1300)
    g.up()
    g.route("198.51.100.0/24")
    r = ping_from(t.lab.core, g.ppp_ip(), 1400, count=1, df=True)
    assert r.received == 0 and "error 3 4 mtu 1300" in r.errors, r
    r = ping_from(t.lab.core, g.ppp_ip(), 1400)
    assert r.ok, r
