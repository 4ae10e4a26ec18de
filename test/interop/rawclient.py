# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""A LAC that does exactly what a test tells it, wrong things included: L2TPv2 (RFC 2661) over a UDP
socket of its own, and as much of PPP as it takes to bring a session up and to send through it.

A Peer is a socket. It reads only while somebody waits (pump, expect); then it acknowledges, in
order, whatever arrived for a tunnel that still wants it (Tunnel.auto_ack)."""
import hashlib
import hmac
import os
import select
import socket
import struct
import time

from packets import icmp_echo

PORT = 1701
NUDGE = 0.1  # seconds between empty datagrams to a relay
SO_RCVBUFFORCE = 33  # SO_RCVBUF gives no more than net.core.rmem_max
SCCRQ, SCCRP, SCCCN, STOPCCN, HELLO = 1, 2, 3, 4, 6
OCRQ, ICRQ, ICRP, ICCN, CDN, WEN, SLI = 7, 10, 11, 12, 14, 15, 16
NAMES = {0: "ZLB", 1: "SCCRQ", 2: "SCCRP", 3: "SCCCN", 4: "StopCCN", 6: "HELLO", 7: "OCRQ",
         8: "OCRP", 9: "OCCN", 10: "ICRQ", 11: "ICRP", 12: "ICCN", 14: "CDN", 15: "WEN", 16: "SLI"}

# Attribute types (RFC 2661 4.4)
A_TYPE, A_RESULT, A_VERSION, A_FRAMING_CAPS, A_BEARER_CAPS, A_TIE = 0, 1, 2, 3, 4, 5
A_FIRMWARE, A_HOST, A_VENDOR, A_TUNNEL_ID, A_RWS, A_CHALLENGE = 6, 7, 8, 9, 10, 11
A_RESPONSE, A_SESSION_ID, A_SERIAL, A_BEARER_TYPE, A_FRAMING_TYPE = 13, 14, 15, 18, 19
A_CALLED, A_CALLING, A_TX_SPEED, A_VECTOR, A_SEQ_REQUIRED = 21, 22, 24, 36, 39
A_LAST_TX_LCP, A_LAST_RX_LCP, A_PROXY_TYPE, A_PROXY_NAME = 27, 28, 29, 30
A_PROXY_CHALLENGE, A_PROXY_ID, A_PROXY_RESPONSE = 31, 32, 33

P_IP, P_LCP, P_PAP, P_CHAP, P_IPCP = 0x0021, 0xc021, 0xc023, 0xc223, 0x8021
REQ, ACK, NAK, REJ, TERM_REQ, TERM_ACK, CODE_REJ, PROTO_REJ, ECHO_REQ, ECHO_REP = range(1, 11)


class NoAnswer(AssertionError):
    """What was expected did not come in time."""


# ---- building and reading control messages ----

def avp(kind, value, m=True, vendor=0, reserved=0, hidden=False, length=None):
    """One attribute; value is bytes, or an int of 16 bits. length overrides the true one."""
    if isinstance(value, int):
        value = struct.pack(">H", value)
    flags = (0x8000 if m else 0) | (0x4000 if hidden else 0) | reserved << 10
    return struct.pack(">HHH", flags | (len(value) + 6 if length is None else length),
                       vendor, kind) + value


def u32(value):
    return struct.pack(">I", value)


def hide(kind, value, secret, vector, m=True):
    """A hidden attribute (RFC 2661 4.3), preceded by its Random Vector."""
    plain = struct.pack(">H", len(value)) + value
    last, out = hashlib.md5(struct.pack(">H", kind) + secret + vector).digest(), b""
    for i in range(0, len(plain), 16):
        block = bytes(a ^ b for a, b in zip(plain[i:i + 16], last))
        out += block
        last = hashlib.md5(secret + block).digest()
    return avp(A_VECTOR, vector) + avp(kind, out, m=m, hidden=True)


def unhide(kind, value, secret, vector):
    last, out = hashlib.md5(struct.pack(">H", kind) + secret + vector).digest(), b""
    for i in range(0, len(value), 16):
        block = value[i:i + 16]
        out += bytes(a ^ b for a, b in zip(block, last))
        last = hashlib.md5(secret + block).digest()
    return out[2:2 + struct.unpack(">H", out[:2])[0]]


def chap_digest(number, secret, challenge):
    return hashlib.md5(bytes([number]) + secret + challenge).digest()


class Msg:
    """A control message as it arrived."""

    def __init__(self, data, secret=b""):
        self.raw, self.at = data, time.monotonic()
        flags, length, self.tunnel, self.session, self.ns, self.nr = struct.unpack(">6H", data[:12])
        if flags & 0xcb0f != 0xc802 or length != len(data):
            raise AssertionError("not a proper control header: " + data[:12].hex())
        self.avps, self.type, pos, vector = {}, 0, 12, b""
        while pos < len(data):
            word, vendor, kind = struct.unpack(">HHH", data[pos:pos + 6])
            size = word & 0x3ff
            if size < 6 or pos + size > len(data) or word & 0x3c00:
                raise AssertionError("malformed attribute in " + data.hex())
            value = data[pos + 6:pos + size]
            if word & 0x4000:
                value = unhide(kind, value, secret, vector)
            if vendor == 0:
                if kind == A_VECTOR:
                    vector = value
                self.avps.setdefault(kind, value)
            pos += size
        if A_TYPE in self.avps:
            self.type = struct.unpack(">H", self.avps[A_TYPE])[0]

    def u16(self, kind):
        return struct.unpack(">H", self.avps[kind][:2])[0]

    @property
    def result(self):
        """(result, error, message) of a StopCCN or CDN; error is None when absent."""
        v = self.avps[A_RESULT]
        return (self.u16(A_RESULT), struct.unpack(">H", v[2:4])[0] if len(v) >= 4 else None,
                v[4:].decode(errors="replace"))

    def __repr__(self):
        return f"{NAMES.get(self.type, self.type)} tid={self.tunnel} sid={self.session} " \
               f"ns={self.ns} nr={self.nr} {self.avps}"


class Peer:
    """A LAC at one address and port. With to_port it speaks to a guest's relay (guest/relay.py)."""

    def __init__(self, ns, ip, to, port=PORT, to_port=None):
        def opened():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((ip, port))
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
            return s
        self.sock = ns.call(opened)
        self.to, self.relayed = (to, to_port or PORT), to_port is not None
        self.tunnels = {}
        self.others = []  # messages to no tunnel that we know: (header ids, Msg)
        self.next_id = struct.unpack(">H", os.urandom(2))[0] & 0x7fff | 1

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def new_id(self):
        self.next_id = self.next_id % 0x7fff + 1
        return self.next_id

    def send(self, data):
        self.sock.sendto(data, self.to)

    def pump(self, timeout):
        """Handles what arrives within timeout seconds; returns after the first batch."""
        end = time.monotonic() + max(0, timeout)
        while True:
            left = end - time.monotonic()
            step = min(left, NUDGE) if self.relayed else left
            if select.select([self.sock], [], [], max(0, step))[0]:
                break
            if self.relayed:
                self.send(b"")
            if left <= NUDGE or not self.relayed:
                return False
        while select.select([self.sock], [], [], 0)[0]:
            try:
                data, source = self.sock.recvfrom(65536)
            except ConnectionRefusedError:
                continue
            if source == self.to:
                self._rx(data)
        return True

    def _rx(self, data):
        if data[0] & 0x80:
            tid = struct.unpack(">H", data[4:6])[0]
            t = self.tunnels.get(tid)
            if t:
                t._control(Msg(data, t.secret))
            else:
                self.others.append(Msg(data))
            return
        flags = struct.unpack(">H", data[:2])[0]
        pos = 4 if flags & 0x4000 else 2
        length = struct.unpack(">H", data[2:4])[0] if flags & 0x4000 else len(data)
        tid, sid = struct.unpack(">HH", data[pos:pos + 4])
        pos += 4
        seq = None
        if flags & 0x0800:
            seq = struct.unpack(">HH", data[pos:pos + 4])
            pos += 4
        if flags & 0x0200:
            pos += 2 + struct.unpack(">H", data[pos:pos + 2])[0]
        t = self.tunnels.get(tid)
        c = t.calls.get(sid) if t else None
        if c:
            c._data(data[pos:length], seq)

    def wait(self, fn, timeout, what="an event"):
        """Pumps until fn gives something true; raises NoAnswer after timeout seconds."""
        end = time.monotonic() + timeout
        while True:
            value = fn()
            if value:
                return value
            left = end - time.monotonic()
            if left <= 0:
                self.pump(0)  # we may have stood still: what came meanwhile is there
                if value := fn():
                    return value
                raise NoAnswer(f"waited {timeout} s for {what}")
            self.pump(min(left, 0.5))

    def quiet(self, seconds):
        """Pumps for so long, whatever comes."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.pump(left)

    def tunnel(self, **kw):
        """A tunnel that is not opened yet."""
        return Tunnel(self, **kw)

    def open(self, timeout=5, **kw):
        """Opens a tunnel as RFC 2661 wants it."""
        return Tunnel(self, **kw).open(timeout)


class Tunnel:
    """A control connection. Messages that arrive stay in inbox until expect takes them."""

    def __init__(self, peer, host="raw", secret=None, challenge=None, local_id=None, rws=8):
        self.peer = peer
        self.host, self.secret = host.encode(), (secret or "").encode()
        self.local_id = local_id or peer.new_id()
        self.remote_id, self.ns, self.nr, self.acked = 0, 0, 0, 0
        self.rws, self.auto_ack = rws, True
        # we prove the other side only when we have a secret to do it with
        self.challenge = os.urandom(16) if (challenge if challenge is not None else secret) else b""
        self.inbox, self.calls, self.sent, self.duplicates = [], {}, [], 0
        peer.tunnels[self.local_id] = self

    def __repr__(self):
        return f"tunnel {self.local_id}/{self.remote_id}"

    # ---- sending ----

    def packet(self, kind, avps=b"", session=0, ns=None, nr=None, tunnel=None, type_m=True):
        """The bytes of a message, with the numbers as they stand."""
        body = avp(A_TYPE, kind, m=type_m) + avps if kind is not None else avps
        return struct.pack(">6H", 0xc802, 12 + len(body),
                           self.remote_id if tunnel is None else tunnel, session,
                           self.ns if ns is None else ns, self.nr if nr is None else nr) + body

    def send(self, kind, avps=b"", session=0, type_m=True):
        """Sends a message in sequence and remembers it for resend()."""
        data = self.packet(kind, avps, session, type_m=type_m)
        self.ns = self.ns + 1 & 0xffff
        self.sent.append(data)
        self.peer.send(data)
        return data

    def send_raw_body(self, body, session=0):
        """A message in sequence with any bytes behind the header."""
        data = self.packet(None, body, session)
        self.ns = self.ns + 1 & 0xffff
        self.peer.send(data)

    def resend(self, data=None):
        """Sends once more, byte for byte: the last message, or the given one."""
        self.peer.send(data or self.sent[-1])

    def zlb(self):
        self.peer.send(self.packet(None))

    def _control(self, m):
        self.acked = max(self.acked, m.nr)
        if not m.avps:
            return
        if m.ns == self.nr:
            self.nr = self.nr + 1 & 0xffff
            if m.type == SCCRP and not self.remote_id:
                self.remote_id = m.u16(A_TUNNEL_ID)
            self.inbox.append(m)
        else:
            self.duplicates += 1
        if self.auto_ack:
            self.zlb()

    def take(self, kind):
        for m in self.inbox:
            if m.type == kind:
                self.inbox.remove(m)
                return m
        return None

    def expect(self, kind, timeout=3):
        """The next message of a type; raises NoAnswer."""
        return self.peer.wait(lambda: self.take(kind), timeout,
                              f"{NAMES[kind]} on {self}, have {self.inbox}")

    def none(self, kind, seconds):
        """Raises when a message of that type comes within so many seconds."""
        try:
            m = self.expect(kind, seconds)
        except NoAnswer:
            return
        raise AssertionError(f"unexpected {m}")

    def wait_ack(self, timeout=3):
        """Waits until everything sent is acknowledged."""
        self.peer.wait(lambda: self.acked == self.ns, timeout, f"acknowledgement of {self.ns}")

    # ---- the tunnel ----

    def sccrq_avps(self, extra=b"", version=0x0100):
        out = avp(A_VERSION, version) + avp(A_FRAMING_CAPS, u32(3)) + avp(A_BEARER_CAPS, u32(3)) + \
            avp(A_HOST, self.host) + avp(A_TUNNEL_ID, self.local_id) + avp(A_RWS, self.rws)
        if self.challenge:
            out += avp(A_CHALLENGE, self.challenge)
        return out + extra

    def sccrq(self, extra=b""):
        return self.send(SCCRQ, self.sccrq_avps(extra))

    def check_sccrp(self, m):
        if self.challenge:
            good = chap_digest(SCCRP, self.secret, self.challenge)
            if not hmac.compare_digest(m.avps.get(A_RESPONSE, b""), good):
                raise AssertionError("the SCCRP does not prove the secret")

    def scccn(self, sccrp, secret=None):
        body = b""
        if A_CHALLENGE in sccrp.avps:
            body = avp(A_RESPONSE, chap_digest(SCCCN, (secret or "").encode() or self.secret,
                                               sccrp.avps[A_CHALLENGE]))
        return self.send(SCCCN, body)

    def open(self, timeout=5):
        """The SCCRQ is repeated as a client does: with IKEv1 ours may be there before the SA that it came by."""
        data, sent = self.sccrq(), time.monotonic()

        def answered():
            nonlocal sent
            if time.monotonic() > sent + 1:
                self.resend(data)
                sent = time.monotonic()
            return self.take(SCCRP)
        m = self.peer.wait(answered, timeout, f"SCCRP on {self}, have {self.inbox}")
        self.check_sccrp(m)
        self.scccn(m)
        self.wait_ack(timeout)
        return self

    def stop(self, result=1):
        self.send(STOPCCN, avp(A_TUNNEL_ID, self.local_id) + avp(A_RESULT, result))

    # ---- calls ----

    def icrq(self, extra=b"", local_id=None):
        """Sends an ICRQ; the call is in the state that the answer makes."""
        c = Call(self, local_id or self.peer.new_id())
        c.icrq = self.send(ICRQ, avp(A_SESSION_ID, c.local_id) + avp(A_SERIAL, u32(c.local_id))
                           + extra)
        return c

    def call(self, timeout=3, extra=b"", iccn_extra=b""):
        """A call in good order; PPP has not begun."""
        c = self.icrq(extra)
        c.icrp(timeout)
        c.iccn(iccn_extra)
        self.wait_ack(timeout)
        return c


class Call:
    """A session. PPP frames that arrive go to self.ppp when there is one, and to frames."""

    def __init__(self, tunnel, local_id):
        self.tunnel, self.local_id, self.remote_id = tunnel, local_id, 0
        self.frames, self.ppp, self.seqs = [], None, []
        tunnel.calls[local_id] = self

    def icrp(self, timeout=3):
        def mine():
            for m in self.tunnel.inbox:
                if m.type == ICRP and m.session == self.local_id:
                    self.tunnel.inbox.remove(m)
                    return m
            return None
        m = self.tunnel.peer.wait(mine, timeout, f"ICRP for {self.local_id}: {self.tunnel.inbox}")
        self.remote_id = m.u16(A_SESSION_ID)
        return m

    def iccn(self, extra=b""):
        self.tunnel.send(ICCN, avp(A_TX_SPEED, u32(100000000)) + avp(A_FRAMING_TYPE, u32(1))
                         + extra, session=self.remote_id)

    def cdn_in(self, timeout=3):
        """Waits for the CDN of this call."""
        def mine():
            for m in self.tunnel.inbox:
                if m.type == CDN and m.session == self.local_id:
                    self.tunnel.inbox.remove(m)
                    return m
            return None
        return self.tunnel.peer.wait(mine, timeout, f"CDN for {self.local_id}: {self.tunnel.inbox}")

    def cdn(self, result=3):
        return self.tunnel.send(CDN, avp(A_RESULT, result) + avp(A_SESSION_ID, self.local_id),
                                session=self.remote_id)

    def header(self, frame, length=False, seq=None, offset=None):
        flags, extra = 2, b""
        if seq is not None:
            flags |= 0x0800
            extra += struct.pack(">HH", seq, 0)
        if offset is not None:
            flags |= 0x0200
            extra += struct.pack(">H", offset) + bytes(offset)
        ids = struct.pack(">HH", self.tunnel.remote_id, self.remote_id)
        if length:
            return struct.pack(">HH", flags | 0x4000, 8 + len(extra) + len(frame)) + ids + extra
        return struct.pack(">H", flags) + ids + extra

    def send_frame(self, frame, **kw):
        self.tunnel.peer.send(self.header(frame, **kw) + frame)

    def send_ppp(self, proto, body, **kw):
        self.send_frame(b"\xff\x03" + struct.pack(">H", proto) + body, **kw)

    def _data(self, frame, seq):
        if seq:
            self.seqs.append(seq[0])
        if frame[:2] == b"\xff\x03":
            frame = frame[2:]
        if not frame:
            return
        if frame[0] & 1:
            proto, body = frame[0], frame[1:]
        else:
            proto, body = struct.unpack(">H", frame[:2])[0], frame[2:]
        self.frames.append((proto, body))
        if self.ppp:
            self.ppp.rx(proto, body)

    def ppp_up(self, user="user1", password="pass1", method="chap", timeout=10, wait=True, **kw):
        """Brings PPP up, or with wait=False only begins."""
        early = self.frames if self.ppp is None else []
        self.frames = []
        self.ppp = Ppp(self, user, password, method, **kw)
        self.ppp.start()
        for proto, body in early:  # the LNS asks as soon as the call is connected
            self.ppp.rx(proto, body)
        if wait:
            self.tunnel.peer.wait(self.ppp.settled, timeout, f"PPP to come up: {self.ppp}")
            if not self.ppp.network:
                raise AssertionError(f"PPP refused: {self.ppp.message!r}")
        return self.ppp

    def ip_frames(self):
        return [b for p, b in self.frames if p == P_IP]

    def ping(self, to=None, count=3, size=56, timeout=5, **kw):
        """Echo requests through the session; returns how many came back."""
        return self.ping_from(self.ppp.ip, to or self.ppp.peer_ip, count, size, timeout, **kw)

    def ping_from(self, source, to, count=3, size=56, timeout=5, **kw):
        ident = struct.unpack(">H", os.urandom(2))[0]
        for i in range(count):
            self.send_ppp(P_IP, icmp_echo(source, to, ident, i, size), **kw)

        def replies():
            good = [f for f in self.ip_frames()
                    if f[9] == 1 and f[20] == 0 and struct.unpack(">H", f[24:26])[0] == ident]
            return good if len(good) >= count else None
        try:
            self.tunnel.peer.wait(replies, timeout, "echo replies")
            return count
        except NoAnswer:
            return len([f for f in self.ip_frames() if f[9] == 1 and f[20] == 0
                        and struct.unpack(">H", f[24:26])[0] == ident])


class Ppp:
    """The client side of PPP: each request is answered at once, and but for the first of LCP ours
    are sent once, for the wire of the lab loses nothing."""

    def __init__(self, call, user, password, method, mru=1460, hold_auth=False, address="0.0.0.0"):
        self.call, self.user, self.password, self.method = call, user, password, method
        self.mru, self.hold_auth = mru, hold_auth
        self.magic = os.urandom(4)
        self.lcp_acked = self.lcp_ack_sent = self.ipcp_acked = self.ipcp_ack_sent = False
        self.auth_ok, self.message, self.terminated, self.auth_asked = None, b"", False, None
        self.ip, self.peer_ip, self.number, self.address = None, None, 0, address
        self.challenges, self.auth_answers, self.started = [], 0, 0.0

    def __repr__(self):
        return str({k: v for k, v in vars(self).items() if k != "call"})

    @property
    def lcp_open(self):
        return self.lcp_acked and self.lcp_ack_sent

    @property
    def network(self):
        return self.ipcp_acked and self.ipcp_ack_sent

    def send(self, proto, code, body=b"", number=None):
        if number is None:
            self.number = number = self.number + 1 & 0xff
        self.call.send_ppp(proto, struct.pack(">BBH", code, number, len(body) + 4) + body)

    def start(self):
        self.started = time.monotonic()
        self.send(P_LCP, REQ, struct.pack(">BBH", 1, 4, self.mru) + b"\5\6" + self.magic)

    def settled(self):
        """True once the network is up or the credential was refused. Asks again for LCP meanwhile:
        the other side's pppd may not have been there yet."""
        if not self.lcp_acked and time.monotonic() > self.started + 1:
            self.start()
        return self.network or self.auth_ok is False

    def rx(self, proto, body):
        if proto == P_IP or len(body) < 4:
            return
        code, number, length = struct.unpack(">BBH", body[:4])
        data = body[4:length]
        handler = {P_LCP: self._lcp, P_PAP: self._pap, P_CHAP: self._chap,
                   P_IPCP: self._ipcp}.get(proto)
        if handler:
            handler(code, number, data)
        else:
            self.send(P_LCP, PROTO_REJ, struct.pack(">H", proto) + body[:length])

    def _lcp(self, code, number, data):
        if code == REQ:
            asked = dict(options(data)).get(3)
            want = {"pap": b"\xc0\x23", "chap": b"\xc2\x23\5", "mschapv2": b"\xc2\x23\x81"}
            if asked is not None and asked != want[self.method]:
                self.send(P_LCP, NAK, bytes([3, 2 + len(want[self.method])]) + want[self.method],
                          number)
                return
            self.auth_asked = asked
            self.send(P_LCP, ACK, data, number)
            self.lcp_ack_sent = True
            self._lcp_open()
        elif code == ACK:
            self.lcp_acked = True
            self._lcp_open()
        elif code in (NAK, REJ):
            self.send(P_LCP, REQ, b"\5\6" + self.magic)
        elif code == TERM_REQ:
            self.terminated = True
            self.send(P_LCP, TERM_ACK, b"", number)
        elif code == ECHO_REQ:
            self.send(P_LCP, ECHO_REP, self.magic + data[4:], number)

    def _lcp_open(self):
        if self.lcp_open and self.auth_asked == b"\xc0\x23" and not self.hold_auth:
            self.pap()
        if self.lcp_open and self.auth_asked is None:
            self._ipcp_start()

    def pap(self, user=None, password=None, number=None):
        """Sends an Authenticate-Request."""
        user, password = (user or self.user).encode(), (password or self.password).encode()
        self.send(P_PAP, 1, bytes([len(user)]) + user + bytes([len(password)]) + password, number)

    def _pap(self, code, number, data):
        self.auth_answers += 1
        self.auth_ok, self.message = code == 2, data[1:]
        if self.auth_ok:
            self._ipcp_start()

    def chap(self, number, challenge, user=None, password=None):
        """Sends a Response."""
        digest = chap_digest(number, (password or self.password).encode(), challenge)
        self.send(P_CHAP, 2, b"\x10" + digest + (user or self.user).encode(), number)

    def _chap(self, code, number, data):
        if code == 1:
            challenge = data[1:1 + data[0]]
            self.challenges.append((number, challenge))
            if not self.hold_auth:
                self.chap(number, challenge)
            return
        self.auth_answers += 1
        self.auth_ok, self.message = code == 3, data
        if self.auth_ok:
            self._ipcp_start()

    def _ipcp_start(self):
        if not self.ipcp_acked:
            self.send(P_IPCP, REQ, b"\3\6" + socket.inet_aton(self.address))

    def _ipcp(self, code, number, data):
        opts = dict(options(data))
        if code == REQ:
            self.peer_ip = socket.inet_ntoa(opts[3]) if 3 in opts else None
            self.send(P_IPCP, ACK, data, number)
            self.ipcp_ack_sent = True
        elif code == ACK:
            self.ip = socket.inet_ntoa(opts[3])
            self.ipcp_acked = True
        elif code == NAK:
            self.send(P_IPCP, REQ, b"\3\6" + opts[3])

    def terminate(self):
        self.send(P_LCP, TERM_REQ)


def options(data):
    """(type, value) of each option of a Configure packet."""
    pos = 0
    while pos + 2 <= len(data):
        size = data[pos + 1]
        if size < 2 or pos + size > len(data):
            raise AssertionError("malformed option list " + data.hex())
        yield data[pos], data[pos + 2:pos + size]
        pos += size
