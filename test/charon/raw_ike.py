# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""An IKEv2 peer (RFC 7296) that does only what a case tells it to, also what no real one would: it keeps IKE_SAs
that it has renewed, uses them, and answers nothing unless told.

AES-CBC-128, HMAC-SHA2-256 and modp2048 for IKE, AES-CBC-128 and HMAC-SHA1 for ESP; PSK; no NAT detection.
"""
import ctypes
import hmac
import os
import socket
import struct
import threading
import time
from collections import namedtuple

from lab import IP, Wrong

SA, KE, IDI, IDR, AUTH, NONCE, NOTIFY, DELETE, TSI, TSR, SK = 33, 34, 35, 36, 39, 40, 41, 42, 44, 45, 46
IKE_SA_INIT, IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL = 34, 35, 36, 37
INITIATOR, RESPONSE = 0x08, 0x20
NO_PROPOSAL_CHOSEN, NO_ADDITIONAL_SAS, USE_TRANSPORT_MODE, REKEY_SA = 14, 35, 16391, 16393
PROTO_IKE, PROTO_ESP = 1, 3
HEADER = struct.Struct("!8s8sBBBBLL")
CLONE_NEWNET = 0x40000000
NAME, SECRET = b"raw", b"trialpsk"
FIRST_SPI = bytes.fromhex("ca0000a1")  # of the CHILD_SA that comes with an IKE_SA
ANSWER_S = 5.0  # how long an answer may take

# (type, id, key length) of transforms
IKE_SUITE = ((1, 12, 128), (2, 5, 0), (3, 12, 0), (4, 14, 0))
ESP_SUITE = ((1, 12, 128), (3, 2, 0), (5, 0, 0))

# RFC 3526: 2^2048 - 2^1984 - 1 + 2^64 * (floor(2^1918 pi) + 124476)
MODP2048 = int("""
    FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B
    302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE6
    49286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D
    670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718
    3995497CEA956AE515D2261898FA051015728E5A8AACAA68FFFFFFFFFFFFFFFF""".replace("\n    ", ""), 16)


# ---- cryptography ----

def prf(key, data):
    return hmac.digest(key, data, "sha256")


def prf_plus(key, seed, size):
    out = block = b""
    while len(out) < size:
        block = prf(key, block + seed + bytes([len(out) // 32 + 1]))
        out += block
    return out[:size]


def psk_auth(message, nonce, key, identity):
    return struct.pack("!Bxxx", 2) + prf(prf(SECRET, b"Key Pad for IKEv2"), message + nonce + prf(key, identity))


_crypto = ctypes.CDLL("libcrypto.so.3")
for _name in ("EVP_CIPHER_CTX_new", "EVP_aes_128_cbc"):
    getattr(_crypto, _name).restype = ctypes.c_void_p


def aes_cbc(key, iv, data, encrypt):
    """data is of whole blocks."""
    ctx = ctypes.c_void_p(_crypto.EVP_CIPHER_CTX_new())
    out, n = ctypes.create_string_buffer(len(data) + 16), ctypes.c_int()
    ok = (_crypto.EVP_CipherInit_ex(ctx, ctypes.c_void_p(_crypto.EVP_aes_128_cbc()), None, key, iv, int(encrypt))
          and _crypto.EVP_CIPHER_CTX_set_padding(ctx, 0)
          and _crypto.EVP_CipherUpdate(ctx, out, ctypes.byref(n), data, len(data)))
    _crypto.EVP_CIPHER_CTX_free(ctx)
    if not ok or n.value != len(data):
        raise RuntimeError("libcrypto's AES-CBC failed")
    return out.raw[:n.value]


def nonce_of(start=b""):
    """start is chosen for one that is to lose or win a collision."""
    return start + os.urandom(32 - len(start))


class Share:
    """One side's part of a key exchange."""

    def __init__(self, nonce=b""):
        self.nonce = nonce_of(nonce)
        self.private = int.from_bytes(os.urandom(32), "big")
        self.payloads = [(NONCE, self.nonce),
                         (KE, struct.pack("!HH", 14, 0) + pow(2, self.private, MODP2048).to_bytes(256, "big"))]

    def secret(self, ke):
        return pow(int.from_bytes(ke[4:], "big"), self.private, MODP2048).to_bytes(256, "big")


# ---- payloads: lists of (type, body) ----

def chain(payloads):
    kinds = [kind for kind, _ in payloads[1:]] + [0]
    return b"".join(struct.pack("!BBH", after, 0, 4 + len(body)) + body
                    for (_, body), after in zip(payloads, kinds))


def unchain(kind, data):
    out = []
    while kind != 0:
        after, _, size = struct.unpack_from("!BBH", data)
        out.append((kind, data[4:size]))
        kind, data = after, data[size:]
    return out


def proposal(proto, spi, suite):
    text = b""
    for i, (kind, number, bits) in enumerate(suite):
        attribute = struct.pack("!HH", 0x800e, bits) if bits else b""
        text += struct.pack("!BBHBBH", 0 if i + 1 == len(suite) else 3, 0, 8 + len(attribute), kind, 0,
                            number) + attribute
    return SA, struct.pack("!BBHBBBB", 0, 0, 8 + len(spi) + len(text), 1, proto, len(spi), len(suite)) + spi + text


def notify(kind, spi=b""):
    return NOTIFY, struct.pack("!BBH", PROTO_ESP if spi else 0, len(spi), kind) + spi


def selector(kind, address, port):
    a = socket.inet_aton(address)
    return kind, struct.pack("!BxxxBBHHH", 1, 7, socket.IPPROTO_UDP, 16, port, port) + a + a


def child_payloads(spi, port, nonce=b""):
    middle = [(NONCE, nonce)] if nonce else []
    return ([notify(USE_TRANSPORT_MODE), proposal(PROTO_ESP, spi, ESP_SUITE)] + middle +
            [selector(TSI, IP["A"], port), selector(TSR, IP["B"], 1701)])


class Message(namedtuple("Message", "exchange mid payloads")):
    """What has come. In an answer, .spi is None when what was asked for was refused."""

    def get(self, kind):
        return next((body for k, body in self.payloads if k == kind), None)

    @property
    def notifies(self):
        return [struct.unpack_from("!H", body, 2)[0] for k, body in self.payloads if k == NOTIFY]

    @property
    def spi(self):
        body = self.get(SA)
        return None if body is None else body[8:8 + body[6]]


# ---- IKE_SAs ----

class IkeSa:
    """ours: this side has begun the exchange that made it."""

    def __init__(self, peer, ours, spi_i, spi_r, seed, nonces):
        self.peer, self.ours, self.spis, self.mid = peer, ours, spi_i + spi_r, 0
        self.answers, self.requests = {}, {}  # by their message ids
        keys = prf_plus(seed, nonces + self.spis, 5 * 32 + 2 * 16)
        self.d, ai, ar, ei, er, pi, pr = (keys[a:b] for a, b in ((0, 32), (32, 64), (64, 96), (96, 112),
                                                                 (112, 128), (128, 160), (160, 192)))
        self.out, self.inb = ((ai, ei, pi), (ar, er, pr))[::1 if ours else -1]
        peer.sas[self.spis] = self

    def _seal(self, exchange, flags, mid, payloads):
        a, e, _ = self.out
        plain = chain(payloads)
        plain += bytes(-(len(plain) + 1) % 16) + bytes([-(len(plain) + 1) % 16])
        iv = os.urandom(16)
        size = 4 + 16 + len(plain) + 16
        head = HEADER.pack(self.spis[:8], self.spis[8:], SK, 0x20, exchange,
                           flags | (INITIATOR if self.ours else 0), mid, HEADER.size + size)
        text = head + struct.pack("!BBH", payloads[0][0] if payloads else 0, 0, size) + iv
        text += aes_cbc(e, iv, plain, True)
        self.peer.sock.send(text + prf(a, text)[:16])

    def take(self, packet):
        a, e, _ = self.inb
        _, _, kind, _, exchange, flags, mid, _ = HEADER.unpack_from(packet)
        if kind != SK or not hmac.compare_digest(prf(a, packet[:-16])[:16], packet[-16:]):
            raise Wrong("a packet that is not genuine")
        plain = aes_cbc(e, packet[32:48], packet[48:-16], False)
        m = Message(exchange, mid, unchain(packet[28], plain[:-1 - plain[-1]]))
        (self.answers if flags & RESPONSE else self.requests)[mid] = m

    # -- requests of this side

    def ask(self, exchange, payloads):
        """Sends a request and waits for nothing; its message id."""
        self._seal(exchange, 0, self.mid, payloads)
        self.mid += 1
        return self.mid - 1

    def answer(self, mid, timeout=ANSWER_S):
        """None: nothing has come; then the next request has its message id."""
        got = self.peer.wait(lambda: self.answers.get(mid), timeout)
        if got is None:
            self.mid = mid
        return got

    def begin_child(self, port, old=b"", nonce=b""):
        """old: this side's SPI of the CHILD_SA that is to be renewed."""
        renewal = [notify(REKEY_SA, old)] if old else []
        return self.ask(CREATE_CHILD_SA, renewal + child_payloads(os.urandom(4), port, nonce_of(nonce)))

    def child(self, port, timeout=ANSWER_S):
        """The answer to the wish for a CHILD_SA, or None."""
        return self.answer(self.begin_child(port), timeout)

    def begin_rekey(self, nonce=b""):
        share, spi = Share(nonce), os.urandom(8)
        return self.ask(CREATE_CHILD_SA, [proposal(PROTO_IKE, spi, IKE_SUITE)] + share.payloads), share, spi

    def end_rekey(self, begun, timeout=ANSWER_S):
        """The new IKE_SA, or None when it was refused or nothing has come. This one stays."""
        mid, share, spi = begun
        m = self.answer(mid, timeout)
        if m is None or m.spi is None:
            return None
        nonces = share.nonce + m.get(NONCE)
        return IkeSa(self.peer, True, spi, m.spi, prf(self.d, share.secret(m.get(KE)) + nonces), nonces)

    def rekey(self, timeout=ANSWER_S):
        return self.end_rekey(self.begin_rekey(), timeout)

    def delete(self, child=b""):
        """Of the IKE_SA, or of the CHILD_SA with this side's SPI."""
        what = struct.pack("!BBH", PROTO_ESP, 4, 1) + child if child else struct.pack("!BBH", PROTO_IKE, 0, 0)
        return self.answer(self.ask(INFORMATIONAL, [(DELETE, what)]))

    # -- requests of charon

    def wait_request(self, exchange):
        m = self.peer.wait(lambda: next((m for m in self.requests.values() if m.exchange == exchange), None), ANSWER_S)
        if m is None:
            raise Wrong(f"charon has sent no request of type {exchange} within {ANSWER_S:g} s")
        return m

    def reply(self, m, payloads):
        self._seal(m.exchange, RESPONSE, m.mid, payloads)

    def accept_child(self, m, nonce=b""):
        """Answers charon's wish for a CHILD_SA."""
        selectors = [(kind, body) for kind, body in m.payloads if kind in (TSI, TSR)]
        self.reply(m, [notify(USE_TRANSPORT_MODE), proposal(PROTO_ESP, os.urandom(4), ESP_SUITE),
                       (NONCE, nonce_of(nonce))] + selectors)

    def accept_rekey(self, m, nonce=b""):
        """Answers charon's renewal: the new IKE_SA, which is charon's."""
        share, spi = Share(nonce), os.urandom(8)
        nonces = m.get(NONCE) + share.nonce
        new = IkeSa(self.peer, False, m.spi, spi, prf(self.d, share.secret(m.get(KE)) + nonces), nonces)
        self.reply(m, [proposal(PROTO_IKE, spi, IKE_SUITE)] + share.payloads)
        return new


class Peer:
    """A socket in a network namespace, and the IKE_SAs that were made with it."""

    def __init__(self, netns):
        self.sas, self.sock = {}, None
        t = threading.Thread(target=self._open, args=(netns,))  # the namespace is that of a thread
        t.start()
        t.join()
        if self.sock is None:
            raise RuntimeError(f"no socket in {netns}")

    def _open(self, netns):
        with open(f"/run/netns/{netns}", "rb") as f:
            if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), CLONE_NEWNET) < 0:
                raise OSError(ctypes.get_errno(), "setns")
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.connect((IP["B"], 500))
        self.sock = s

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def receive(self, timeout):
        """A packet, or None."""
        self.sock.settimeout(max(timeout, 0.001))
        try:
            return self.sock.recv(65535)
        except TimeoutError:
            return None

    def wait(self, fn, timeout):
        """Takes what comes until fn gives something; that, or None."""
        end = time.monotonic() + timeout
        while (got := fn()) is None:
            packet = self.receive(end - time.monotonic())
            if packet is None:
                return None
            if packet[:16] in self.sas:
                self.sas[packet[:16]].take(packet)
        return got

    def establish(self, port=1701, child=True):
        """An authenticated IKE_SA, and the answer to IKE_AUTH."""
        share, spi = Share(), os.urandom(8)
        nonce, ke = share.payloads
        body = chain([proposal(PROTO_IKE, b"", IKE_SUITE), ke, nonce])
        first = HEADER.pack(spi, bytes(8), SA, 0x20, IKE_SA_INIT, INITIATOR, 0, HEADER.size + len(body)) + body
        self.sock.send(first)
        second = self.receive(ANSWER_S)
        m = Message(IKE_SA_INIT, 0, unchain(second[16], second[28:]) if second else [])
        if m.spi is None:
            raise Wrong(f"IKE_SA_INIT was refused, or not answered: {m.notifies}")
        nonces = share.nonce + m.get(NONCE)
        sa = IkeSa(self, True, spi, second[8:16], prf(nonces, share.secret(m.get(KE))), nonces)
        sa.mid = 1
        me = struct.pack("!Bxxx", 2) + NAME
        payloads = [(IDI, me), (AUTH, psk_auth(first, m.get(NONCE), sa.out[2], me))]
        r = sa.answer(sa.ask(IKE_AUTH, payloads + (child_payloads(FIRST_SPI, port) if child else [])))
        if r is None or r.get(AUTH) != psk_auth(second, share.nonce, sa.inb[2], r.get(IDR)):
            raise Wrong(f"charon has not authenticated: {r}")
        return sa, r
