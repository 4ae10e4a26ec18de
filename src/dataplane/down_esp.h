/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The usual packet of a session in a child, transport mode: as down does it, with all headers in front of it
 * before it is encrypted: at once where the suite does one packet after the other, otherwise with the others of
 * the vector. Then all leave.
 */
#pragma once

#include "dataplane/link.h"
#include "dataplane/sa.h"

#include <rte_prefetch.h>

/* Packets with their headers, in their order. */
struct seals {
	uint16_t n, n_ways, n_burst;
	/* Of the vector's packets, where dp_seals_ahead has been; NULL: none. */
	struct sa *sa[VEC_MAX];
	struct rte_mbuf *m[VEC_MAX];
	/* Where they leave: one after the other as long as it is the same port, up to m[end]. */
	struct {
		uint16_t port, end;
	} way[VEC_MAX];
	/* For esp_encrypt, those of suites that esp_seal does not take: which of m they are, and their session. */
	struct esp_pkt p[VEC_MAX];
	struct {
		uint16_t at, sid;
	} of[VEC_MAX];
};

static inline void seal_ahead(const struct sa *sa, const struct rte_mbuf *m)
{
	if (likely(sa != NULL))
		esp_seal_ahead(esp_of(sa), rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
}

/* What packets of bound sessions are going to read, those of w->down_to, whose lines are here or on their way. */
void dp_seals_ahead(const struct worker *w, struct rte_mbuf *const *v, uint16_t n, struct seals *s);

/* n frames as they came from v[at] on, up to the first one that is not usual: how many. */
uint16_t dp_frames_seal(struct worker *w, struct way *way, struct rte_mbuf **v, uint16_t at,
                        uint16_t n, struct seals *s);

/*
 * The packet at ip in m, for session sid of this worker, which is bound. A frame: where and as it came. False, and
 * nothing has happened, when it is not usual.
 */
bool dp_seal_add(struct worker *w, struct rte_mbuf *m, uint8_t *ip, uint16_t sid, struct way *way,
                 bool frame, struct seals *s);

/* All that were added are encrypted, and leave in their order. */
void dp_seals_send(struct worker *w, struct seals *s);
