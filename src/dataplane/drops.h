/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Why packets are dropped: the one list that the console, metrics, logs and tests share.
 * X(symbol, "name in shows", "what it means")
 */
#pragma once

/* clang-format off */
#define DP_DROP_LIST(X) \
	X(NONE, "none", "no reason: never counted") \
	X(RX_SEGMENTS, "rx-segments", "frame of several buffers that could not be copied into one") \
	X(ETH_SHORT, "eth-short", "frame shorter than its Ethernet or 802.1Q header") \
	X(ETH_VLAN_UNKNOWN, "vlan-unknown", "802.1Q tag of no configured sub-interface") \
	X(ETH_NOT_OURS, "eth-not-ours", "unicast frame for another station") \
	X(IP4_SHORT, "ip4-short", "no room for an IPv4 header") \
	X(IP4_HEADER, "ip4-header", "IPv4 version or header length is wrong") \
	X(IP4_LENGTH, "ip4-length", "IPv4 total length does not fit the frame") \
	X(IP4_CHECKSUM, "ip4-checksum", "IPv4 header checksum is wrong") \
	X(IP4_MARTIAN, "ip4-martian", "source or destination address cannot be routed") \
	X(IP4_TTL, "ip4-ttl", "time to live ran out and the ICMP rate was used up") \
	X(IP4_TOO_BIG, "ip4-too-big", "larger than the MTU with DF set and the ICMP rate was used up") \
	X(IP4_NO_ROUTE, "ip4-no-route", "no route and the ICMP rate was used up") \
	X(IP4_NO_SUBSCRIBER, "ip4-no-subscriber", "no session has the address and the ICMP rate was used up") \
	X(IP4_BLACKHOLE, "ip4-blackhole", "the route says discard") \
	X(IP4_LOCAL_LOOP, "ip4-local-loop", "control sent a packet to one of our own addresses") \
	X(REASS_FAILED, "reassembly-failed", "fragments that overlap, are too many, or found the table full") \
	X(REASS_TIMEOUT, "reassembly-timeout", "fragments of a datagram that was never complete") \
	X(REASS_BUFFER, "reassembly-buffer", "reassembled datagram without a buffer large enough") \
	X(UDP_LENGTH, "udp-length", "UDP length does not fit the packet") \
	X(UDP_CHECKSUM, "udp-checksum", "UDP checksum of an L2TP message is wrong") \
	X(ESP_SHORT, "esp-short", "ESP packet is truncated or not whole blocks") \
	X(ESP_UNKNOWN_SPI, "esp-unknown-spi", "ESP packet for an SPI not in use") \
	X(ESP_HELD_FULL, "esp-held-full", "too many packets wait for their SA to be installed") \
	X(ESP_HELD_TIMEOUT, "esp-held-timeout", "the SA of a waiting packet was not installed in time") \
	X(ESP_REPLAY, "esp-replay", "ESP sequence number was seen before or is older than the window") \
	X(ESP_AUTH, "esp-auth", "ESP integrity check failed") \
	X(ESP_PAD, "esp-pad", "ESP padding or next header is malformed after decryption") \
	X(ESP_DUMMY, "esp-dummy", "ESP dummy packet (RFC 4303 2.6)") \
	X(ESP_SELECTOR, "esp-selector", "decrypted packet does not fit the SA's selectors or is not L2TP") \
	X(ESP_EXPIRED, "esp-expired", "the SA is past a hard limit of bytes, packets or sequence numbers") \
	X(ESP_NO_SA, "esp-no-sa", "child without an outbound SA") \
	X(NATT_KEEPALIVE, "natt-keepalive", "NAT keepalive (RFC 3948 2.3): has done its work on the way") \
	X(SS_FIRED, "single-shot-fired", "packet of a connection whose single-shot tunnel has fired") \
	X(L2TP_SHORT, "l2tp-short", "L2TP header is truncated") \
	X(L2TP_VERSION, "l2tp-version", "not version 2 of L2TP") \
	X(L2TP_HEADER, "l2tp-header", "control message without L and S, or with O or P") \
	X(L2TP_LENGTH, "l2tp-length", "L2TP length does not fit the datagram") \
	X(L2TP_UNKNOWN_TUNNEL, "l2tp-unknown-tunnel", "control message for a tunnel id not in use") \
	X(L2TP_CONTROL_PEER, "l2tp-control-peer", "control message from another address than the tunnel's peer") \
	X(L2TP_NO_SESSION, "l2tp-no-session", "data message for a session id not in use") \
	X(L2TP_TUNNEL_MISMATCH, "l2tp-tunnel-mismatch", "data message with another tunnel's id") \
	X(L2TP_PEER_MISMATCH, "l2tp-peer-mismatch", "data message from another address or port than the peer's") \
	X(L2TP_CONN_MISMATCH, "l2tp-conn-mismatch", "data message outside the session's transport connection") \
	X(L2TP_OLD_SEQUENCE, "l2tp-old-sequence", "sequenced data message that is old or a duplicate") \
	X(L2TP_EMPTY, "l2tp-empty", "data message without a payload") \
	X(L2TP_NO_SA, "l2tp-no-sa", "session of a transport connection that has no outbound SA") \
	X(L2TP_NO_ROUTE, "l2tp-no-route", "no usable route to the tunnel's peer") \
	X(PPP_SHORT, "ppp-short", "PPP frame without a whole protocol number") \
	X(SUB_MALFORMED, "subscriber-malformed", "subscriber's IPv4 header, length or checksum is wrong") \
	X(SUB_SPOOFED, "subscriber-spoofed", "subscriber used a source address that is not his") \
	X(SUB_MARTIAN, "subscriber-martian", "subscriber's packet to an address that cannot be routed") \
	X(SESS_CLOSED, "session-closed", "IP packet of a session whose network phase is not open") \
	X(SESS_GONE, "session-gone", "packet of a session that has ended or whose address is another's now") \
	X(SEND_STALE, "send-stale", "control sent into a session that had ended") \
	X(FRAG_FAILED, "fragment-failed", "packet that cannot be cut into fragments, or no buffers") \
	X(NO_HEADROOM, "no-headroom", "no room in the buffer for the headers") \
	X(HOLD_FULL, "hold-full", "next hop is unresolved and its queue is full") \
	X(NEIGH_FAILED, "neighbour-failed", "next hop does not answer") \
	X(NEIGH_TIMEOUT, "neighbour-timeout", "next hop was not resolved in time") \
	X(HANDOFF_FULL, "handoff-full", "ring to the owner worker is full") \
	X(NEW_TUNNEL_LIMIT, "new-tunnel-limit", "too many requests for new tunnels") \
	X(PUNT_LIMIT, "punt-limit", "rate of this class toward control, or its sender's part, is used up") \
	X(PUNT_FULL, "punt-full", "ring of this class toward control is full") \
	X(TX_FULL, "tx-full", "port's transmit queue is full")
/* clang-format on */
