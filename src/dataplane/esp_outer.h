/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The headers in front of ESP (RFC 4303 3.1, RFC 3948 2.1), made of the SA's line. */
#pragma once

#include "dataplane/ip4.h"

/* At front, where sa->out.tmpl_len bytes have room, for a packet of len bytes with them. */
static inline void esp_outer_put(struct worker *w, const struct sa *sa, uint8_t *front,
                                 uint32_t len)
{
	const struct rte_ipv4_hdr *tmpl = (const void *)sa->out.tmpl;
	const rte_be16_t total = rte_cpu_to_be_16((uint16_t)len);
	const rte_be16_t id = rte_cpu_to_be_16(dp_next_ip_id(w));
	struct rte_ipv4_hdr *ip = (void *)front;

	memcpy(ip, tmpl, sizeof(*ip));
	if (unlikely(sa->takes != 0)) {
		struct rte_udp_hdr *udp = (void *)(ip + 1);

		memcpy(udp, tmpl + 1, sizeof(*udp));
		udp->dgram_len = rte_cpu_to_be_16((uint16_t)(len - sizeof(*ip)));
	}
	ip->total_length = total;
	ip->packet_id = id;
	ip->hdr_checksum = (uint16_t)~sum_fold((uint64_t)tmpl->hdr_checksum + total + id);
}
