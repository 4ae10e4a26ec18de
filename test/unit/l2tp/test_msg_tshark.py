#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""What tshark reads in one sample of each control message, in clear and hidden.

Usage: test_msg_tshark.py EXPORTER. Exits 77 (skipped) without tshark.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

TYPES = [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16]

# A value of each attribute, in tshark's words: (message type, line of tshark -V).
VALUES = [
    (1, "Version: 1"),
    (1, "Revision: 0"),
    (1, "Firmware Revision: 1680 (0x0690)"),
    (1, "Host Name: lac.example.net"),
    (1, "Vendor Name: Sallyport"),
    (1, "Assigned Tunnel ID: 4660"),
    (1, "Receive Window Size: 8"),
    (1, "Tie Breaker: 0x0123456789abcdef"),
    (4, "Error Message: try another: 192.0.2.1"),
    (7, "Call Serial Number: 77"),
    (7, "Minimum BPS: 9600"),
    (7, "Maximum BPS: 64000"),
    (7, "Sub-Address: 12"),
    (10, "Physical Channel: 6"),
    (10, "Calling Number: 5550199"),
    (10, "Called Number: 5550100"),
    (12, "Connect Speed: 100000000"),
    (12, "Rx Connect Speed: 40000000"),
    (12, "Proxy Authen Name: alice@example.net"),
    (12, "Proxy Authen ID: 42"),
    (12, "Private Group ID: 72657461696c"),
    (14, "Assigned Session ID: 17185"),
    (14, "Cause Code: 16"),
    (14, "Advisory Msg: normal clearing"),
    (14, "Disconnect Code: 15"),
    (14, "Message: wrong password"),
    (15, "CRC Errors: 1"),
    (15, "Framing Errors: 2"),
    (15, "Hardware Overruns: 3"),
    (15, "Buffer Overruns: 4"),
    (15, "Time-out Errors: 5"),
    (15, "Alignment Errors: 6"),
    (16, "Send ACCM: 655360"),
    (16, "Receive ACCM: 4294967295"),
]


def tshark(pcap, *args):
    """Output lines of tshark on a capture."""
    run = subprocess.run(["tshark", "-r", pcap, *args], check=True, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return run.stdout.splitlines()


def check(pcap):
    """Complaints about the capture."""
    bad = []
    frames = "\n".join(tshark(pcap, "-V")).split("\nFrame ")
    if len(frames) != 2 * (len(TYPES) + 1):
        bad.append(f"{len(frames)} frames")
    fields = tshark(pcap, "-T", "fields", "-e", "l2tp.avp.message_type")
    if fields != 2 * ([str(t) for t in TYPES] + [""]):
        bad.append(f"message types are {fields}")
    for line in tshark(pcap, "-Y", "_ws.malformed || _ws.expert"):
        bad.append(line)
    for frame in frames:
        for line in frame.splitlines():
            if re.search(r"malformed|expert info|not dissected", line, re.I):
                bad.append(line.strip())
    for mtype, text in VALUES:
        lines = [line.strip() for line in frames[TYPES.index(mtype)].splitlines()]
        if text not in lines:
            bad.append(f"message {mtype} has no '{text}'")
    hidden = "\n".join(frames[len(TYPES) + 1:])
    if hidden.count("= Hidden: True") < 40:
        bad.append("little is hidden")
    return bad


def main():
    if shutil.which("tshark") is None:
        print("tshark is not installed: skipped")
        return 77
    with tempfile.TemporaryDirectory() as tmp:
        pcap = os.path.join(tmp, "samples.pcap")
        subprocess.run([sys.argv[1], "pcap", pcap], check=True)
        bad = check(pcap)
    for line in bad:
        print(line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
