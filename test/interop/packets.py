# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Packets by hand: IPv4 and what is in it, the frames of a capture, and frames put on a wire."""
import socket
import struct


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def ipv4(source, to, proto, payload, ttl=64, df=False, ident=0):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, 0x4000 if df else 0, ttl,
                       proto, 0, socket.inet_aton(source), socket.inet_aton(to))
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def icmp_echo(source, to, ident, number, size=56, **kw):
    body = struct.pack(">BBHHH", 8, 0, 0, ident, number) + bytes(i & 0xff for i in range(size))
    return ipv4(source, to, 1, body[:2] + struct.pack(">H", checksum(body)) + body[4:], **kw)


def udp(source, to, sport, dport, payload, **kw):
    head = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0)
    pseudo = socket.inet_aton(source) + socket.inet_aton(to) + struct.pack(">HH", 17,
                                                                           8 + len(payload))
    total = checksum(pseudo + head + payload) or 0xffff
    return ipv4(source, to, 17, head[:6] + struct.pack(">H", total) + payload, **kw)


def frames_of(path):
    """The frames of a capture of tcpdump, in order."""
    with open(path, "rb") as f:
        data = f.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    pos, out = 24, []
    while pos + 16 <= len(data):
        size = struct.unpack(order + "I", data[pos + 8:pos + 12])[0]
        if pos + 16 + size > len(data):
            break  # tcpdump is at it
        out.append(data[pos + 16:pos + 16 + size])
        pos += 16 + size
    return out


class Esp:
    """An ESP packet in an Ethernet frame, bare or in UDP, and ways to spoil it."""

    def __init__(self, frame):
        self.frame = frame
        head = 14 + (frame[14] & 15) * 4
        self.source, self.to = (socket.inet_ntoa(frame[i:i + 4]) for i in (26, 30))
        end = 14 + struct.unpack(">H", frame[16:18])[0]  # short frames are padded
        self.udp = frame[23] == 17
        self.at = head + (8 if self.udp else 0)
        self.spi, self.seq = struct.unpack(">II", frame[self.at:self.at + 8])
        self.esp = frame[self.at:end]

    def frame_of(self, esp):
        """The frame with other ESP bytes, lengths and header checksum right; no UDP checksum, as
        RFC 3948 has it."""
        head = self.frame[:self.at]
        if self.udp:
            head = head[:-4] + struct.pack(">HH", 8 + len(esp), 0)
        ip = bytearray(head[14:])
        ip[2:4] = struct.pack(">H", len(ip) + len(esp))
        ip[10:12] = b"\0\0"
        size = (ip[0] & 15) * 4
        ip[10:12] = struct.pack(">H", checksum(bytes(ip[:size])))
        return head[:14] + bytes(ip) + esp

    def renumbered(self, spi=None, seq=None):
        return self.frame_of(struct.pack(">II", self.spi if spi is None else spi,
                                         self.seq if seq is None else seq) + self.esp[8:])

    def tampered(self, at):
        esp = bytearray(self.esp)
        esp[at] ^= 0x40
        return self.frame_of(bytes(esp))

    def truncated(self, size):
        return self.frame_of(self.esp[:size])


def esp_of(path, source=None):
    """The ESP packets of a capture, all or those of one source."""
    out = []
    for f in frames_of(path):
        if len(f) < 42 or f[12:14] != b"\x08\x00":
            continue
        at = 14 + (f[14] & 15) * 4
        # In UDP, four zero bytes would be IKE and one byte a keepalive.
        if f[23] == 50 or f[23] == 17 and 4500 in struct.unpack(">HH", f[at:at + 4]) and \
                len(f) > at + 16 and f[at + 8:at + 12] != b"\0\0\0\0":
            e = Esp(f)
            if source in (None, e.source):
                out.append(e)
    return out


class Wire:
    """Puts frames on an interface as they are."""

    def __init__(self, ns, dev):
        def opened():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            s.bind((dev, 0))
            return s
        self.sock = ns.call(opened)

    def send(self, *frames):
        for f in frames:
            self.sock.send(f)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
