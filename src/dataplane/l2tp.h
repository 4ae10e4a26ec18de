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

static_assert(offsetof(struct sess_rx, peer_ip) == 0 && offsetof(struct sess_rx, local_ip) == 4 &&
                      offsetof(struct sess_rx, peer_port) == 8 &&
                      offsetof(struct sess_rx, local_port) == 10 &&
                      offsetof(struct sess_rx, tunnel_id) == 12 &&
                      offsetof(struct sess_rx, flags) == 14 &&
                      offsetof(struct pkt_meta, dst) == offsetof(struct pkt_meta, src) + 4 &&
                      offsetof(struct pkt_meta, sport) == offsetof(struct pkt_meta, src) + 8 &&
                      offsetof(struct pkt_meta, dport) == offsetof(struct pkt_meta, src) + 10,
              "what is compared is one word of 16 bytes");

/*
 * RFC 3193 and plain sense: a session takes messages from its own peer and connection only. True when this
 * worker's session takes the message, and has all of flags.
 */
static inline bool l2tp_bound(const struct worker *w, uint16_t sid, uint16_t tid,
                              const struct pkt_meta *meta, uint16_t flags)
{
	const struct sess_rx *s = &w->dp->rx[sid];
	const xmm_t mask = _mm_setr_epi32(-1, -1, -1, (int)(0xffffu | (uint32_t)flags << 16));
	xmm_t want = _mm_load_si128((const xmm_t *)(const void *)s);
	xmm_t from = _mm_loadu_si128((const xmm_t *)(const void *)&meta->src);

	/* In the place of what has no value yet. */
	from = _mm_insert_epi32(from, (int)(tid | (uint32_t)flags << 16), 3);
	from = _mm_and_si128(_mm_xor_si128(from, want), mask);
	return _mm_testz_si128(from, from) && s->conn == meta->conn &&
	       dp_owner(w->dp, sid) == w->id;
}
