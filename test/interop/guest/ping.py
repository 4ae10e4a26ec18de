# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Sends ICMP echo requests and tells exactly what came back. The ping of iputils gives up on the last
reply after twice the longest round trip, which a loaded machine exceeds.

A User-Mode Linux guest may leave a packet in its tap until the next one arrives (seen with captures:
the reply was on the wire). So small requests with another id follow the last one while replies are
missing; theirs do not count.

Usage: ping.py TO SIZE COUNT INTERVAL WAIT [DEVICE] [df]
Prints: SENT RECEIVED DUPLICATES CORRUPT, then one line for each ICMP error with its type, code and
MTU. Ends as soon as every reply has come, at the latest WAIT seconds after the last request.
"""
import os
import select
import socket
import struct
import sys
import time

NUDGE = 0.3  # seconds
IP_MTU_DISCOVER, PMTUDISC_DONT, PMTUDISC_PROBE = 10, 0, 3
SO_RCVBUFFORCE = 33


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xffff)
    return ~total & 0xffff


def echo(ident, number, data):
    head = struct.pack(">BBHHH", 8, 0, 0, ident, number)
    return head[:2] + struct.pack(">H", checksum(head + data)) + head[4:] + data


def ping(to, size, count, interval, wait, device=None, df=False):
    """The output as above."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    # df: set it, and let our own notion of the path's MTU not stand in the way
    sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER,
                    PMTUDISC_PROBE if df else PMTUDISC_DONT)
    # All ICMP comes in here, also what another pings us with: a second of it at once, when somebody on the
    # way has stood still.
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    if device:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
    ident = struct.unpack("H", os.urandom(2))[0]
    data = bytes(i * 7 & 0xff for i in range(size))
    seen, duplicates, corrupt, errors, sent = set(), 0, 0, [], 0
    due, end = time.monotonic(), time.monotonic() + wait
    while True:
        now = time.monotonic()
        if sent < count and now >= due:
            try:
                sock.sendto(echo(ident, sent, data), (to, 0))
            except OSError as e:
                errors.append(f"send {e.strerror}")
            sent += 1
            due = now + (interval if sent < count else NUDGE)
            end = now + wait
        elif sent == count and now >= due:
            try:
                sock.sendto(echo(ident ^ 0x5555, 0, b""), (to, 0))
            except OSError:
                pass
            due = now + NUDGE
        if sent == count and (len(seen) == count and not duplicates or now > end):
            break
        if not select.select([sock], [], [], max(0, min(due, end) - time.monotonic()))[0]:
            continue
        packet = sock.recv(65536)
        icmp = packet[(packet[0] & 15) * 4:]
        if len(icmp) < 8:
            continue
        kind, code, _, reply_id, number = struct.unpack(">BBHHH", icmp[:8])
        if kind in (3, 11):
            errors.append(f"error {kind} {code} mtu {number}")
        if kind != 0 or reply_id != ident:
            continue
        if number in seen:
            duplicates += 1
        seen.add(number)
        corrupt += icmp[8:] != data
    sock.close()
    return f"{sent} {len(seen)} {duplicates} {corrupt}\n" + "\n".join(errors)


def main():
    to, size, count, interval, wait = sys.argv[1:6]
    rest = [r for r in sys.argv[6:] if r != "df"]
    print(ping(to, int(size), int(count), float(interval), float(wait), rest[0] if rest else None,
               "df" in sys.argv[6:]))


if __name__ == "__main__":
    main()
