/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A session as its owner worker needs it: one cache line a direction, and one of seldom counters. The
 * lines are made by control, travel through the owner's FIFO, and are written by the owner alone.
 */
#pragma once

#include <assert.h>
#include <stdint.h>

#define SESS_IDS      65536
#define SESS_NO_OWNER 0xff /* in dp.owner[]: the id is not in use */

/* Flags of both lines. */
#define SESS_VALID     0x0001
#define SESS_OPEN      0x0002 /* IP may flow */
#define SESS_CHECK_SEQ 0x0004 /* rx: drop old and duplicate messages */
#define SESS_BOUND     0x0008 /* lives inside a transport connection (conn != 0) */
#define SESS_SEQ       0x0010 /* tx: Ns and Nr in the template */
#define SESS_LENGTH    0x0020 /* tx: length field in the template */
#define SESS_UDP_SUM   0x0040 /* tx: fill in the UDP checksum */
#define SESS_DF        0x0080 /* tx: DF in the outer header */
#define SESS_ADDRESSES 0x0100 /* rx: packets may come from peer_ip and, inside, from sub_ip */
#define SESS_CLAMP     0x0200 /* mss is not 0 */

/* Upstream: from the peer. What l2tp_in compares stands as it does in the packet's metadata. */
struct sess_rx {
	uint32_t peer_ip, local_ip; /* outer addresses, host order */
	uint16_t peer_port, local_port;
	uint16_t tunnel_id; /* ours */
	uint16_t flags; /* SESS_* */
	uint64_t conn; /* transport connection */
	uint32_t gen; /* control's generation; stays after the end, for the counters' readers */
	uint32_t sub_ip; /* the one source address the subscriber may use; 0: none */
	uint16_t mss; /* TCP MSS at most; 0: no clamping */
	uint16_t nr; /* Ns expected next (RFC 2661 5.4) */
	uint8_t pad[12];
	uint64_t packets, bytes; /* counters, as in sess_ctr */
};
static_assert(sizeof(struct sess_rx) == 64, "one line a session upstream");

/* L2TP with length and sequence numbers (12), PPP with address, control and a two byte protocol (4). */
#define SESS_FRAMING_MAX 16
#define SESS_HEADERS_MAX (20 + 8 + SESS_FRAMING_MAX) /* .. behind IPv4 and UDP */

/* Downstream: toward the peer. Addresses and ports in network order. */
struct sess_tx {
	/* What outer headers are made of. */
	uint32_t src_ip, dst_ip;
	uint16_t src_port, dst_port;
	uint16_t ip_sum; /* folded, in host order: of the IPv4 header with length 0 and id 0 */
	uint16_t flags; /* SESS_* */
	/* Behind the UDP header of IPv4 packets, at the end; zeros in front and for what changes. */
	uint8_t framing[SESS_FRAMING_MAX];
	uint8_t headers, ppp_len; /* bytes of UDP's, L2TP's and PPP's, and of the last */
	uint16_t mtu; /* of inner packets */
	uint16_t mss;
	uint16_t ns; /* to be sent next */
	uint32_t sub_ip; /* the destination that this session answers for; host order */
	uint32_t child; /* that carries it; 0: none */
	uint64_t packets, bytes; /* counters, as in sess_ctr */
};
static_assert(sizeof(struct sess_tx) == 64, "one line a session downstream");

/* Counters of what is seldom: written by the owner, read by control with relaxed loads. */
struct sess_ctr {
	uint64_t rx_discards, tx_discards;
	uint32_t rx_out_of_sequence, rx_lost;
	uint32_t gen; /* whose they are; of any other session they say nothing: sess_ctr_of */
	uint32_t pad0;
	uint64_t pad[4];
};
static_assert(sizeof(struct sess_ctr) == 64, "sessions of two workers never share a line");
