/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The headers in front of ESP (RFC 4303 3.1, RFC 3948 2.1), made of the SA's line. */
#pragma once

#include "dataplane/outer.h"

/* At front, where sa->out.tmpl_len bytes have room, for a packet of len bytes with them and number next. */
static inline void esp_outer_numbered(const struct sa *sa, uint8_t *front, uint32_t len,
                                      uint32_t next)
{
	const uint8_t *tmpl = sa->out.tmpl;
	const uint32_t total = rte_bswap32(len) >> 16, id = rte_bswap32(next) >> 16;
	uint32_t ttl, sum;
	uint64_t word;

	/* In words, and never read again. The template has no length and no number; its checksum is a sum. */
	memcpy(&word, tmpl, sizeof(word));
	word |= (uint64_t)total << 16 | (uint64_t)id << 32;
	memcpy(front, &word, sizeof(word));
	memcpy(&ttl, tmpl + offsetof(struct rte_ipv4_hdr, time_to_live), sizeof(ttl));
	sum = (ttl >> 16) + total + id;
	sum += sum << 16 | sum >> 16;
	ttl = (ttl & 0xffff) | (~sum & 0xffff0000);
	memcpy(front + offsetof(struct rte_ipv4_hdr, time_to_live), &ttl, sizeof(ttl));
	memcpy(&word, tmpl + offsetof(struct rte_ipv4_hdr, src_addr), sizeof(word));
	memcpy(front + offsetof(struct rte_ipv4_hdr, src_addr), &word, sizeof(word));
	if (unlikely(sa->takes != 0)) {
		memcpy(&word, tmpl + OUTER_IP4, sizeof(word));
		word |= (uint64_t)(rte_bswap32(len - OUTER_IP4) >> 16) << 32;
		memcpy(front + OUTER_IP4, &word, sizeof(word));
	}
}

/* The same with the next number. */
static inline void esp_outer_put(struct worker *w, const struct sa *sa, uint8_t *front,
                                 uint32_t len)
{
	esp_outer_numbered(sa, front, len, dp_next_ip_id(w));
}
