# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""Sends ICMP echo requests and tells exactly what came back. The ping of iputils gives up on the last
reply after twice the longest round trip, which a loaded machine exceeds.

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

IP_MTU_DISCOVER, PMTUDISC_DONT, PMTUDISC_PROBE = 10, 0, 3


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xffff)
    return ~total & 0xffff


def main():
    to, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    interval, wait = float(sys.argv[4]), float(sys.argv[5])
    rest = sys.argv[6:]
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    # df: set it, and let our own notion of the path's MTU not stand in the way
    sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER,
                    PMTUDISC_PROBE if "df" in rest else PMTUDISC_DONT)
    for device in [r for r in rest if r != "df"]:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
    ident = os.getpid() & 0xffff
    data = bytes(i * 7 & 0xff for i in range(size))
    seen, duplicates, corrupt, errors, sent = set(), 0, 0, [], 0
    due, end = time.monotonic(), None
    while True:
        now = time.monotonic()
        if sent < count and now >= due:
            head = struct.pack(">BBHHH", 8, 0, 0, ident, sent)
            packet = head[:2] + struct.pack(">H", checksum(head + data)) + head[4:] + data
            try:
                sock.sendto(packet, (to, 0))
            except OSError as e:
                errors.append(f"send {e.strerror}")
            sent += 1
            due = now + interval
            end = now + wait
        if sent == count and (len(seen) == count and not duplicates or now > end):
            break
        limit = due if sent < count else end
        if not select.select([sock], [], [], max(0, limit - time.monotonic()))[0]:
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
    print(sent, len(seen), duplicates, corrupt)
    print("\n".join(errors))


main()
