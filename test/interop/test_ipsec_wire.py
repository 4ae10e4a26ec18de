# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""What is on the wire: decrypted with the keys of the client's kernel, and packets that an attacker puts
there, each dropped under a reason of its own."""
from daemon import settle
from guest_ipsec import V1_AES, V2_GCM, tshark_keys
from harness import case
from lab import APPLIANCE_IP, POOL_LOCAL, wait_until
from packets import Esp, Wire, esp_of

ALL = "esp or udp port 500 or udp port 4500 or udp port 1701"


def capture(t, name="wire"):
    return t.lab.capture(f"{t.folder}/{name}.pcap", expr=ALL)


def decrypted(t, variant, **kw):
    """A whole session on the wire: nothing of L2TP in the clear, all of it inside ESP; every packet is
    authentic, and what the appliance sends is well-formed."""
    cap = capture(t)
    g = t.ipsec_dial(variant=variant, **kw)
    keys = tshark_keys(g.ipsec_state())
    t.pings(g)
    g.hang_up()
    assert g.wait_down() and g.ipsec_wait_gone(5), g.ipsec_log()
    cap.stop()
    g.ipsec_kill()
    g.l2tp_stop("KILL")
    esp = cap.tshark("-Y", "esp", "-T", "fields", "-e", "frame.number")
    # Without SAs the client's kernel may send its last repetitions in the clear.
    clear = cap.tshark("-Y", f"l2tp && (ip.src == {APPLIANCE_IP} || frame.number < {esp[-1]})")
    assert not clear, clear[:5]
    total = len(esp)
    inside = cap.tshark(*keys, "-Y", "esp && l2tp", "-T", "fields", "-e", "l2tp.avp.message_type",
                        "-e", "ip.src")
    assert len(inside) == total > 60, (len(inside), total)
    # StopCCN may come from either side first; all others are in the order of RFC 2661. What is not
    # acknowledged within a second is there twice.
    kinds = list(dict.fromkeys(k for k in (line.split("\t")[0] for line in inside) if k))
    assert kinds[:6] == ["1", "2", "3", "10", "11", "12"] and "4" in kinds, kinds
    bad = cap.tshark(*keys, "-Y", "esp.icv_bad == 1 || (ip.src == " + APPLIANCE_IP
                     + " && _ws.malformed)")
    assert not bad, bad[:5]
    assert cap.tshark(*keys, "-Y", "esp && icmp.type == 0"), "no echo reply inside"
    seqs = {}
    for e in esp_of(cap.path):
        assert e.seq > seqs.get(e.spi, 0), f"sequence number {e.seq} of {e.spi:#x} again"
        seqs[e.spi] = e.seq
    return total


@case("ipsec-decrypt", ipsec={})
def decrypt(t):
    """tshark decrypts CBC with SHA-1 and GCM by the client's keys: L2TP, all authentic, is inside"""
    n = decrypted(t, V1_AES), decrypted(t, V2_GCM)
    t.note(f"{n[0]} and {n[1]} ESP packets")


@case("ipsec-decrypt-nat", ipsec={})
def decrypt_nat(t):
    """the same in UDP, from behind a NAT"""
    decrypted(t, V2_GCM, nat=True)


def spoiled(t, variant, **kw):
    """Packets of the client once more, and changed: dropped, each under its reason; none of it
    reaches L2TP, and the session does not suffer."""
    g = t.ipsec_dial(variant=variant, **kw)
    cap = capture(t)
    t.pings(g, sizes=(56, 1000))
    conn_spi = {sa.spi for sa in g.ipsec_state() if sa["dst"] == APPLIANCE_IP}

    def own():
        return [e for e in esp_of(cap.path) if e.spi in conn_spi]
    assert wait_until(lambda: len(own()) >= 30, 5), len(own())  # tcpdump may be late
    settle(0.3)
    cap.stop()
    mine = own()[-10:]
    last = max(e.seq for e in mine)
    foreign = next(s for s in range(0xc0ffee00, 0xc0ffef00, 64) if s not in conn_spi)
    crafted = {
        "esp-replay": [e.frame for e in mine],
        # numbers that have not been seen, so that only the check of integrity can refuse them
        "esp-auth": [e.renumbered(seq=last + 100 + i) for i, e in enumerate(mine)],
        "esp-unknown-spi": [e.renumbered(spi=foreign) for e in mine],
        "esp-short": [e.truncated(size) for e in mine for size in (8, 12, 20)],
    }
    received = t.metric("l2tp_control_received_total")
    with Wire(t.lab.access, "wan0p") as wire:
        for reason, frames in crafted.items():
            before = t.metrics()
            wire.send(*frames)
            name = f'dataplane_drops_total{{reason="{reason}"}}'
            wait_until(lambda: t.metric(name) - before[name] >= len(frames), 2)
            after = t.metrics()
            grown = {k: after[k] - before[k] for k in after if k.startswith("dataplane_drops_total")
                     and after[k] != before[k]}
            assert grown == {name: len(frames)}, (reason, grown)
        before = t.drops("esp-auth")
        for at in (30, -1, -5):  # one bit of the payload, of the ICV; numbers not seen before
            wire.send(*[Esp(e.renumbered(seq=last + 200 + i)).tampered(at)
                        for i, e in enumerate(mine)])
        assert wait_until(lambda: t.drops("esp-auth") - before == 30, 2), t.drops("esp-auth")
    assert t.metric("l2tp_control_received_total") - received <= 1
    t.pings(g, sizes=(56, None))
    assert g.ping(POOL_LOCAL, count=20).ok
    t.wait_counts(1, 1)


@case("ipsec-spoiled-v1", ipsec={})
def spoiled_v1(t):
    """replayed, truncated, tampered and misdirected ESP, CBC with SHA-1: each under its reason"""
    spoiled(t, V1_AES)


@case("ipsec-spoiled-nat", ipsec={})
def spoiled_nat(t):
    """the same in UDP, GCM"""
    spoiled(t, V2_GCM, nat=True)


@case("ipsec-other-connection", ipsec={})
def other_connection(t):
    """RFC 3193: a tunnel takes packets from its own connection alone, inside IPsec or not"""
    g, p = t.ipsec_raw(0)
    tun = p.open(host="ipsec-ss")
    c = tun.call()
    c.ppp_up()
    _, q = t.ipsec_raw(1)
    thief = q.open(host="ipsec-ss")
    stolen = thief.call()
    stolen.ppp_up()
    def mismatches():
        return t.drops("l2tp-conn-mismatch") + t.drops("l2tp-peer-mismatch")
    before = mismatches()
    # The thief's SA carries data for the other's session, and a StopCCN for its tunnel.
    ids = stolen.remote_id, thief.remote_id
    stolen.remote_id, thief.remote_id = c.remote_id, tun.remote_id
    for _ in range(10):
        stolen.ping(count=1, timeout=0)
    data = thief.packet(4, session=0, ns=tun.ns, nr=tun.nr)
    q.send(data)
    stolen.remote_id, thief.remote_id = ids
    plain = t.raw(0)  # in the clear
    plain.send(data)
    wait_until(lambda: mismatches() - before >= 10, 5)
    q.quiet(0.5)
    assert mismatches() - before == 10, mismatches() - before
    assert c.ping() == 3 and stolen.ping() == 3
    t.wait_counts(2, 2)
    assert g.ipsec_state()
