# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Malformed, unusual and hostile messages. What one peer sends never ends another peer's tunnel."""
import os
import random
import select
import struct

from harness import SECRET, USERS, case
from lab import CORE_HOST, POOL_LOCAL
from packets import icmp_echo
from rawclient import (A_CALLING, A_CHALLENGE, A_FRAMING_CAPS, A_HOST, A_RESULT, A_RWS, A_SERIAL,
                       A_SESSION_ID, A_TUNNEL_ID, A_TYPE, A_VERSION, A_SEQ_REQUIRED, CDN, HELLO,
                       ICCN, ICRP, ICRQ, NoAnswer, P_IP, SCCCN, SCCRP, SCCRQ, STOPCCN, Call, avp,
                       hide, u32)


def victim(t):
    """A healthy standard tunnel with a session, from the first address."""
    p = t.raw(0)
    tun = p.open(host="victim")
    c = tun.call()
    c.ppp_up(*USERS[0])
    assert c.ping() == 3
    return p, tun, c


def unharmed(t, p, tun, c):
    assert t.daemon.alive(), t.log_tail()
    p.quiet(0.2)
    assert not tun.take(STOPCCN) and not tun.take(CDN), "the victim's tunnel was ended"
    assert c.ping(CORE_HOST) == 3, "the victim's data does not cross"
    tun.send(HELLO)
    tun.wait_ack()


def bad_bodies(tunnel_id):
    """(what is wrong, body) of SCCRQs that must not make a tunnel; each is complete otherwise."""
    head = avp(A_TYPE, SCCRQ)
    good = [avp(A_VERSION, 0x0100), avp(A_FRAMING_CAPS, u32(3)), avp(A_HOST, b"evil"),
            avp(A_TUNNEL_ID, tunnel_id)]

    def but(i, other):
        return head + b"".join(good[:i] + [other] + good[i + 1:])
    whole = head + b"".join(good)
    return [
        ("no message type", b"".join(good)),
        ("message type not first", good[0] + head + b"".join(good[1:])),
        ("no version", but(0, b"")),
        ("no host name", but(2, b"")),
        ("no tunnel id", but(3, b"")),
        ("tunnel id 0", but(3, avp(A_TUNNEL_ID, 0))),
        ("tunnel id of one byte", but(3, avp(A_TUNNEL_ID, b"\1"))),
        ("tunnel id of four bytes", but(3, avp(A_TUNNEL_ID, u32(tunnel_id)))),
        ("version of one byte", but(0, avp(A_VERSION, b"\1"))),
        ("version 0.9", but(0, avp(A_VERSION, 0x0009))),
        ("version 2.0", but(0, avp(A_VERSION, 0x0200))),
        ("attribute length 0", whole + avp(A_RWS, 4, length=0)),
        ("attribute length 5", whole + avp(A_RWS, 4, length=5)),
        ("attribute beyond the message", whole + avp(A_RWS, 4, length=500)),
        ("attribute header cut", whole + b"\x80"),
        ("five bytes left", whole + b"\x80\x08\0\0\0"),
        ("unknown mandatory attribute", whole + avp(999, b"x")),
        ("unknown mandatory vendor attribute", whole + avp(1, b"x", vendor=9)),
        ("reserved bits on a mandatory attribute", whole + avp(A_RWS, 4, reserved=5)),
        ("hidden without a vector", whole + avp(A_CHALLENGE, os.urandom(16), hidden=True)),
        ("hidden host name without a secret",
         head + good[0] + good[1] + good[3] + hide(A_HOST, b"evil", b"no", os.urandom(16))),
        ("empty host name", but(2, avp(A_HOST, b""))),
    ]


@case("hostile-sccrq")
def hostile_sccrq(t):
    """A6: malformed SCCRQs of a second peer make no tunnel and do not touch the first's"""
    p, tun, c = victim(t)
    evil = t.raw(1)
    for what, body in bad_bodies(0x4242):
        bad = evil.tunnel(local_id=0x4242)
        bad.send_raw_body(body)
        evil.quiet(0.05)
        assert not bad.take(SCCRP), f"SCCRP for an SCCRQ with {what}"
        t.wait_counts(1, 1)
    unharmed(t, p, tun, c)


@case("hostile-in-tunnel")
def hostile_in_tunnel(t):
    """A6: malformed messages inside the second peer's own tunnel end at most that one"""
    p, tun, c = victim(t)
    evil = t.raw(1)
    bodies = [
        avp(A_TYPE, 99), avp(A_TYPE, 99, m=False), avp(A_TYPE, ICRQ),
        avp(A_TYPE, ICRQ) + avp(A_SESSION_ID, 0) + avp(A_SERIAL, u32(1)),
        avp(A_TYPE, ICRQ) + avp(A_SESSION_ID, b"") + avp(A_SERIAL, u32(1)),
        avp(A_TYPE, ICRQ) + avp(A_SESSION_ID, 7),
        avp(A_TYPE, ICRQ) + avp(A_SESSION_ID, 7) + avp(A_SERIAL, u32(1))
        + avp(A_CALLING, b"x" * 1000),
        avp(A_TYPE, ICCN), avp(A_TYPE, CDN), avp(A_TYPE, SCCRP), avp(A_TYPE, SCCCN),
        avp(A_TYPE, CDN) + avp(A_RESULT, b"\0") + avp(A_SESSION_ID, 7),
        avp(A_TYPE, STOPCCN) + avp(A_RESULT, b""), avp(A_TYPE, b"\0"), avp(A_TYPE, b"\0\1\2"),
        avp(A_TYPE, 15) + avp(34, b"\0" * 25), avp(A_TYPE, 16) + avp(35, b""),
        b"\xff" * 40, b"\0" * 40, b"\x80\x06\0\0\0\0", avp(A_TYPE, HELLO) * 100,
    ]
    for body in bodies:
        bad = evil.open(host="evil")
        bad.send_raw_body(body)
        bad.send_raw_body(body, session=0xffff)
        evil.quiet(0.05)
        assert t.daemon.alive(), (body.hex(), t.log_tail())
        bad.stop()
    unharmed(t, p, tun, c)
    evil.open(host="evil").call().ppp_up(*USERS[1])


@case("hostile-spoof")
def hostile_spoof(t):
    """A6: messages with the first peer's tunnel id from another address or port are not heard"""
    p, tun, c = victim(t)
    for evil in (t.raw(1), t.raw(0, port=1702)):
        bad = evil.tunnel()
        bad.remote_id = tun.remote_id
        for ns, nr in ((tun.ns, tun.nr), (tun.ns + 1, tun.nr), (0, 0)):
            stop = avp(A_TUNNEL_ID, tun.local_id) + avp(A_RESULT, 1)
            evil.send(bad.packet(STOPCCN, stop, ns=ns, nr=nr))
            evil.send(bad.packet(CDN, avp(A_RESULT, 3) + avp(A_SESSION_ID, c.local_id),
                                 session=c.remote_id, ns=ns, nr=nr))
            evil.send(bad.packet(HELLO, ns=ns, nr=nr))
            evil.send(bad.packet(None, ns=ns, nr=0x7fff))
        other = Call(bad, 0x7777)
        other.remote_id = c.remote_id
        for i in range(10):
            other.send_ppp(P_IP, icmp_echo(c.ppp.ip, CORE_HOST, 1, i))
            other.send_ppp(0xc021, struct.pack(">BBH", 5, 1, 4))  # LCP Terminate-Request
        evil.quiet(0.3)
        assert not evil.others and not bad.inbox, (evil.others, bad.inbox)
        assert not other.frames, other.frames
    unharmed(t, p, tun, c)


@case("hostile-noise")
def hostile_noise(t):
    """A6: 3000 random and mutated datagrams: no crash, no harm to the first peer"""
    p, tun, c = victim(t)
    evil = t.raw(1)
    mine = evil.open(host="evil")
    rnd = random.Random(20260101)
    seeds = [mine.packet(SCCRQ, mine.sccrq_avps(), tunnel=0, ns=0, nr=0),
             mine.packet(ICRQ, avp(A_SESSION_ID, 5) + avp(A_SERIAL, u32(5))),
             mine.packet(CDN, avp(A_RESULT, 3) + avp(A_SESSION_ID, 5)),
             mine.packet(HELLO), mine.packet(None),
             struct.pack(">HHH", 2, mine.remote_id, 5) + b"\xff\x03\xc0\x21\1\1\0\4",
             struct.pack(">HHHHH", 0x4202, 40, mine.remote_id, 5, 3000) + bytes(20)]
    for i in range(3000):
        if i % 3:
            data = bytearray(rnd.choice(seeds))
            for _ in range(rnd.randint(1, 6)):
                data[rnd.randrange(len(data))] = rnd.randrange(256)
            if rnd.random() < 0.3:
                del data[rnd.randrange(len(data)):]
        else:
            data = rnd.randbytes(rnd.randint(0, 1400))
        try:
            evil.send(bytes(data))
        except OSError:
            pass
        if i % 100 == 0:
            while select.select([evil.sock], [], [], 0)[0]:
                evil.sock.recv(65536)
    unharmed(t, p, tun, c)


@case("hostile-half-open")
def hostile_half_open(t):
    """A6: two thousand SCCRQs that are never followed up; the first peer and new ones are served"""
    p, tun, c = victim(t)
    evil = t.raw(1)
    for i in range(2000):
        bad = evil.tunnel(local_id=1000 + i)
        evil.send(bad.packet(SCCRQ, bad.sccrq_avps(), tunnel=0))
    assert c.ping(CORE_HOST) == 3
    for bad in list(evil.tunnels.values()):
        bad.auto_ack = False
    other = t.raw(2)
    fresh = other.open(timeout=10).call()
    fresh.ppp_up(*USERS[2])
    assert fresh.ping() == 3
    unharmed(t, p, tun, c)


@case("hostile-ppp")
def hostile_ppp(t):
    """malformed PPP frames in one session do not disturb another of the same tunnel"""
    p, tun, c = victim(t)
    bad = tun.call()
    bad.ppp_up(*USERS[1])
    rnd = random.Random(7)
    frames = [b"", b"\xff", b"\xff\x03", b"\xff\x03\xc0", b"\xff\x03\xc0\x21", b"\x21", b"\0",
              b"\xff\x03\xc0\x21\1\1\0\3", b"\xff\x03\xc0\x21\1\1\xff\xff", b"\xc0\x21\1\1\0\5\1",
              b"\xff\x03\xc0\x21\1\1\0\6\1\0", b"\xff\x03\xc0\x21\1\1\0\6\1\1",
              b"\xff\x03\xc0\x21\1\1\0\6\1\xff", b"\xff\x03\x80\x21\1\1\0\6\3\1",
              b"\xff\x03\xc2\x23\2\1\0\x05\xff", b"\xff\x03\xc0\x23\1\1\0\6\xff\xff",
              b"\xff\x03\x00\x21", b"\xff\x03\x00\x21\x45", b"\xff\x03\x00\x21" + b"\x4f" * 20,
              b"\xff\x03\x00\x57\x60\0\0\0\0\0\x3b\x40" + bytes(32), b"\xff\x03\x00\x3d" + bytes(10),
              b"\xff\x03\x00\xfd" + bytes(10), b"\xff\x03\x40\x21" + bytes(30)]
    for f in frames:
        bad.send_frame(f)
    for _ in range(1000):
        bad.send_frame(b"\xff\x03" + rnd.choice([b"\xc0\x21", b"\x80\x21", b"\xc2\x23", b"\xc0\x23",
                                                 b"\0\x21"]) + rnd.randbytes(rnd.randint(0, 60)))
    p.quiet(0.5)
    assert t.daemon.alive(), t.log_tail()
    tun.inbox.clear()  # that one session may have ended
    unharmed(t, p, tun, c)


@case("spoofed-source")
def spoofed_source(t):
    """a subscriber's packets with another source address are dropped"""
    p, tun, c = victim(t)
    other = tun.call()
    other.ppp_up(*USERS[1])
    cap = t.lab.capture(t.folder + "/core.pcap", ns=t.lab.core, dev="core0p", expr="icmp")
    for source in (other.ppp.ip, "8.8.8.8", "198.51.100.2", "10.64.0.1"):
        for i in range(5):
            c.send_ppp(P_IP, icmp_echo(source, CORE_HOST, 99, i))
    assert c.ping(CORE_HOST) == 3
    p.quiet(0.3)
    cap.stop()
    assert not cap.tshark("-Y", f"icmp.type == 8 && ip.src != {c.ppp.ip}")


@case("wire-header-forms")
def wire_header_forms(t):
    """data with length, offset and sequence fields, with and without FF03, one-byte protocol"""
    p, tun, c = victim(t)
    for kw in ({"length": True}, {"offset": 0}, {"offset": 16}, {"offset": 3, "length": True},
               {"seq": 0, "length": True}):
        assert c.ping(**kw, count=1) == 1, kw
    for head in (b"\0\x21",):
        c.frames.clear()
        c.send_frame(head + icmp_echo(c.ppp.ip, POOL_LOCAL, 5, 1))
        p.wait(c.ip_frames, 2, "a reply to a frame without FF03")
    unharmed(t, p, tun, c)


@case("wire-sequencing")
def wire_sequencing(t):
    """Sequencing Required: our data is numbered without gaps, what comes late is dropped"""
    p = t.raw()
    tun = p.open()
    c = tun.icrq()
    c.icrp()
    c.iccn(avp(A_SEQ_REQUIRED, b""))
    seq = iter(range(100000))
    send = c.send_frame
    c.send_frame = lambda frame, **kw: send(frame, **{"seq": next(seq), "length": True, **kw})
    c.ppp_up()
    assert c.ping(count=20) == 20
    assert c.seqs == list(range(len(c.seqs))), c.seqs
    c.frames.clear()
    c.send_ppp(P_IP, icmp_echo(c.ppp.ip, POOL_LOCAL, 9, 1), seq=0)  # long ago
    p.quiet(0.5)
    assert not c.ip_frames()
    assert c.ping() == 3


@case("hidden-attributes")
def hidden_attributes(t):
    """attributes that we hide with the tunnel password are understood"""
    p = t.raw()
    tun = p.open(host="lac-secret", secret=SECRET)
    secret, vector = SECRET.encode(), os.urandom(16)
    c = Call(tun, p.new_id())
    tun.send(ICRQ, hide(A_SESSION_ID, struct.pack(">H", c.local_id), secret, vector)
             + hide(A_SERIAL, u32(4711), secret, vector)
             + hide(A_CALLING, b"5551234", secret, vector))
    c.icrp()
    c.iccn()
    c.ppp_up()
    assert c.ping() == 3
    assert "5551234" in t.console("show l2tp session detail")


@case("hide-avps", config=lambda c: [h.update({"hide-avps": True})
                                     for h in c["destination-profiles"][0]["hosts"]
                                     if h["name"] == "lac-secret"])
def hide_avps(t):
    """with hide-avps ours are hidden and a peer that knows the password reads them"""
    p = t.raw()
    tun = p.open(host="lac-secret", secret=SECRET)
    c = tun.icrq()
    m = c.icrp()
    assert 36 in m.avps, "no Random Vector: nothing is hidden"
    c.iccn()
    c.ppp_up()
    assert c.ping() == 3


@case("unknown-optional")
def unknown_optional(t):
    """unknown attributes and message types without the M bit are passed over"""
    p = t.raw()
    tun = p.tunnel()
    tun.sccrq(avp(999, b"what", m=False) + avp(3, b"vendor's", m=False, vendor=9)
              + avp(A_RWS, 4, m=False))
    tun.scccn(tun.expect(SCCRP))
    tun.wait_ack()
    tun.send(99, avp(5, b"x", m=False), type_m=False)
    tun.wait_ack()
    tun.none(STOPCCN, 0.5)
    c = tun.call(extra=avp(4711, b"optional", m=False))
    c.ppp_up()
    assert c.ping() == 3


@case("unknown-mandatory")
def unknown_mandatory(t):
    """an unknown message with the M bit ends the tunnel with result 2, error 8"""
    p = t.raw()
    tun = p.open()
    tun.send(99, avp(5, b"x"))
    m = tun.expect(STOPCCN)
    assert m.result[:2] == (2, 8), m.result
    t.wait_counts(0, 0)


@case("call-unknown-mandatory")
def call_unknown_mandatory(t):
    """an unknown mandatory attribute in an ICRQ costs that call, not the tunnel"""
    p, tun, c = victim(t)
    bad = tun.icrq(avp(4711, b"mandatory"))
    m = bad.cdn_in()
    assert m.result[:2] == (2, 8), m.result
    unharmed(t, p, tun, c)


@case("outgoing-call-request")
def outgoing_call(t):
    """an OCRQ to an LNS that does not dial gets a CDN or a StopCCN, never silence for ever"""
    p = t.raw()
    tun = p.open()
    c = Call(tun, p.new_id())
    tun.send(7, avp(A_SESSION_ID, c.local_id) + avp(A_SERIAL, u32(1)) + avp(16, u32(1))
             + avp(17, u32(1)) + avp(18, u32(1)) + avp(19, u32(1)) + avp(21, b"123"))
    p.wait(lambda: tun.take(CDN) or tun.take(STOPCCN), 3, "a refusal")
    assert t.daemon.alive()


@case("out-of-order")
def out_of_order(t):
    """control messages that arrive out of order are taken in order"""
    p = t.raw()
    tun = p.open()
    a, b = Call(tun, p.new_id()), Call(tun, p.new_id())
    first = tun.packet(ICRQ, avp(A_SESSION_ID, a.local_id) + avp(A_SERIAL, u32(1)))
    tun.ns += 1
    second = tun.packet(ICRQ, avp(A_SESSION_ID, b.local_id) + avp(A_SERIAL, u32(2)))
    tun.ns += 1
    p.send(second)
    p.quiet(0.2)
    assert not tun.take(ICRP)
    p.send(first)
    # RFC 2661 5.8 lets a receiver keep or drop what came early; a sender repeats it
    try:
        a.icrp(), b.icrp(1)
    except NoAnswer:
        p.send(second)
        b.icrp()
    t.wait_counts(1, 0)


@case("small-window")
def small_window(t):
    """a peer with a receive window of one gets one message at a time"""
    p = t.raw()
    tun = p.open(rws=1)
    tun.auto_ack = False
    calls = [tun.icrq() for _ in range(4)]

    def answered():
        return [m for m in tun.inbox if m.type == ICRP]
    p.wait(answered, 3, "an ICRP")
    p.quiet(0.5)
    assert len(answered()) == 1, tun.inbox
    tun.auto_ack = True
    tun.zlb()
    for c in calls:
        c.icrp(5)
    t.wait_counts(1, 0)


@case("unknown-ids")
def unknown_ids(t):
    """control and data for ids that do not exist are dropped without an answer"""
    p = t.raw()
    tun = p.tunnel()
    tun.remote_id = 0x6543
    for kind in (HELLO, ICRQ, STOPCCN, SCCCN):
        p.send(tun.packet(kind, avp(A_RESULT, 1) if kind == STOPCCN else b""))
    p.send(struct.pack(">HHH", 2, 0x6543, 1) + b"\xff\x03\0\x21" + bytes(20))
    p.quiet(1)
    assert not p.others and not tun.inbox, (p.others, tun.inbox)
    # a session id of another tunnel is not mine
    q, qtun, qc = victim_of(t)
    mine = p.open()
    thief = Call(mine, p.new_id())
    thief.remote_id = qc.remote_id
    for i in range(5):
        thief.send_ppp(P_IP, icmp_echo(qc.ppp.ip, CORE_HOST, 1, i))
        thief.send_ppp(0xc021, struct.pack(">BBH", 5, 1, 4))
    mine.send(CDN, avp(A_RESULT, 3) + avp(A_SESSION_ID, thief.local_id), session=qc.remote_id)
    p.quiet(0.3)
    unharmed(t, q, qtun, qc)


def victim_of(t):
    q = t.raw(3)
    tun = q.open(host="victim")
    c = tun.call()
    c.ppp_up(*USERS[3])
    return q, tun, c
