/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What stages share about L2TP data messages (RFC 2661 3.1). */
#pragma once

#include "dataplane/ip4.h"

#include <rte_vect.h>

/* Flag bits of the first word. */
#define L2TP_T   0x8000
#define L2TP_L   0x4000
#define L2TP_S   0x0800
#define L2TP_O   0x0200
#define L2TP_P   0x0100
#define L2TP_VER 0x000f

#define L2TP_DATA_LEAST 6 /* flags, tunnel and session id */

/*
 * A usual frame has no tag and no IPv4 options, and the data message in it nothing optional: where its
 * headers and ids stand.
 */
#define AT_IP     14
#define AT_LENGTH 16
#define AT_PROTO  23
#define AT_SRC    26
#define AT_DST    30
#define AT_UDP    34
#define AT_ULEN   38
#define AT_SUM    40
#define AT_L2TP   42
#define AT_TID    44
#define AT_SID    46
#define AT_PPP    48

static_assert(offsetof(struct sess_rx, peer_ip) == 0 && offsetof(struct sess_rx, local_ip) == 4 &&
                      offsetof(struct sess_rx, peer_port) == 8 &&
                      offsetof(struct sess_rx, local_port) == 10 &&
                      offsetof(struct sess_rx, tunnel_id) == 12 &&
                      offsetof(struct sess_rx, flags) == 14 &&
                      offsetof(struct pkt_meta, dst) == offsetof(struct pkt_meta, src) + 4 &&
                      offsetof(struct pkt_meta, sport) == offsetof(struct pkt_meta, src) + 8 &&
                      offsetof(struct pkt_meta, dport) == offsetof(struct pkt_meta, src) + 10 &&
                      offsetof(struct pkt_meta, nh) == offsetof(struct pkt_meta, src) + 12,
              "addresses and ports are the first 12 of 16 bytes; of metadata, nh follows");

/* Addresses and ports of a usual frame at p, as they stand in the metadata; then 4 bytes of 0. */
static inline xmm_t l2tp_ends(const uint8_t *p)
{
	const xmm_t order = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 9, 8, 11, 10, -1, -1, -1, -1);

	return _mm_shuffle_epi8(_mm_loadu_si128((const xmm_t *)(const void *)(p + AT_SRC)), order);
}

/*
 * RFC 3193 and plain sense: a session takes messages from its own peer only. True when a message to tunnel
 * tid between these ends is the session's, and of the flags in mask it has just these.
 */
static inline bool l2tp_matches(const struct sess_rx *s, xmm_t ends, uint16_t tid, uint16_t flags,
                                uint16_t mask)
{
	const xmm_t all = _mm_setr_epi32(-1, -1, -1, (int)(0xffffu | (uint32_t)mask << 16));
	xmm_t own = _mm_load_si128((const xmm_t *)(const void *)s);

	ends = _mm_insert_epi32(ends, (int)(tid | (uint32_t)flags << 16), 3);
	ends = _mm_and_si128(_mm_xor_si128(ends, own), all);
	return _mm_testz_si128(ends, ends);
}

/*
 * .. and from its own connection only: true when this worker's session sid takes the message of the
 * metadata, and has all of flags.
 */
static inline bool l2tp_bound(const struct worker *w, uint16_t sid, uint16_t tid,
                              const struct pkt_meta *meta, uint16_t flags)
{
	const struct sess_rx *s = &w->dp->rx[sid];
	xmm_t ends = _mm_loadu_si128((const xmm_t *)(const void *)&meta->src);

	return l2tp_matches(s, ends, tid, flags, flags) && s->conn == meta->conn &&
	       dp_owner(w->dp, sid) == w->id;
}
