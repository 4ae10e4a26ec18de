/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What classify does for down. */
#pragma once

#include "dataplane/ip4.h"

#define DOWN_AHEAD 4 /* packets for which what says their sessions is fetched in time */

/* The session of a transit packet some packets back, and its line for the stage to come. */
static inline void dp_down_find(struct worker *w, struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
	uint16_t sid = dp_subs_lookup(w->dp, rte_be_to_cpu_32(ip->dst_addr));

	pkt_meta(m)->out_session = sid;
	/* Another worker's would be taken from it as it counts. */
	if (likely(dp_owner(w->dp, sid) == w->id))
		rte_prefetch0(&w->dp->tx[sid]);
}
