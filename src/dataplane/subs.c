/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Which session answers for a destination address. Pools are flat arrays; addresses outside of them
 * (a user's framed address) are in a hash. Packets to the rest of the world do not pay for it: only where a
 * /16 has such addresses is it asked at all, and that behind a filter of one bit a hash value.
 */
#include "dataplane/l2tp.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_hash_crc.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>

#define SUBS_TOP 65536

int dp_subs_init(struct dp *dp)
{
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters params = {
	        .name = name,
	        .entries = FRAMED_MAX,
	        .key_len = sizeof(uint32_t),
	        .hash_func = rte_hash_crc,
	        .socket_id = dp->conf.socket,
	        .extra_flag =
	                RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF | RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};
	struct rte_hash_rcu_config rcu = {.v = dp->qsbr, .mode = RTE_HASH_QSBR_MODE_DQ};

	snprintf(name, sizeof(name), "dp_framed_%x", (unsigned)((uintptr_t)dp >> 6));
	dp->subs = rte_calloc_socket("dp_subs", SUBS_TOP, sizeof(struct subs_leaf *),
	                             RTE_CACHE_LINE_SIZE, dp->conf.socket);
	dp->no_subs = rte_zmalloc_socket("dp_leaf", sizeof(*dp->no_subs), RTE_CACHE_LINE_SIZE,
	                                 dp->conf.socket);
	dp->framed_filter =
	        rte_zmalloc_socket("dp_filter", 65536 / 8, RTE_CACHE_LINE_SIZE, dp->conf.socket);
	dp->framed_count = calloc(65536, sizeof(*dp->framed_count));
	dp->framed_in = calloc(SUBS_TOP, sizeof(*dp->framed_in));
	dp->framed = rte_hash_create(&params);
	if (dp->subs == NULL || dp->no_subs == NULL || dp->framed_filter == NULL ||
	    dp->framed_count == NULL || dp->framed_in == NULL || dp->framed == NULL ||
	    rte_hash_rcu_qsbr_add(dp->framed, &rcu) != 0)
		return -ENOMEM;
	return 0;
}

void dp_subs_free(struct dp *dp)
{
	for (uint32_t i = 0; dp->subs != NULL && i < SUBS_TOP; i++) {
		if (dp->subs[i] != dp->no_subs)
			rte_free(dp->subs[i]);
	}
	rte_free(dp->subs);
	rte_free(dp->no_subs);
	rte_free(dp->framed_filter);
	free(dp->framed_count);
	free(dp->framed_in);
	rte_hash_free(dp->framed);
}

uint16_t dp_framed_lookup(const struct dp *dp, uint32_t ip)
{
	void *data;

	return rte_hash_lookup_data(dp->framed, &ip, &data) < 0 ? 0 : (uint16_t)(uintptr_t)data;
}

static int framed_set(struct dp *dp, uint32_t ip, uint16_t session)
{
	uint16_t h = framed_hash(ip);
	bool is_new = rte_hash_lookup(dp->framed, &ip) < 0;

	if (rte_hash_add_key_data(dp->framed, &ip, (void *)(uintptr_t)session) != 0)
		return -ENOSPC;
	if (!is_new)
		return 0;
	if (dp->framed_count[h]++ == 0)
		__atomic_fetch_or(&dp->framed_filter[h >> 3], (uint8_t)(1u << (h & 7)),
		                  __ATOMIC_RELEASE);
	if (dp->framed_in[ip >> 16]++ == 0)
		__atomic_store_n(&dp->subs[ip >> 16], dp->no_subs, __ATOMIC_RELEASE);
	return 0;
}

static void framed_clear(struct dp *dp, uint32_t ip)
{
	uint16_t h = framed_hash(ip);

	if (rte_hash_del_key(dp->framed, &ip) < 0)
		return;
	if (--dp->framed_count[h] == 0)
		__atomic_fetch_and(&dp->framed_filter[h >> 3], (uint8_t) ~(1u << (h & 7)),
		                   __ATOMIC_RELEASE);
	/* A pool may have come in the meantime. */
	if (--dp->framed_in[ip >> 16] == 0 && dp->subs[ip >> 16] == dp->no_subs)
		__atomic_store_n(&dp->subs[ip >> 16], NULL, __ATOMIC_RELEASE);
}

/* Packets to ip are ours whatever session has it, or no one's. */
static bool is_hidden(const struct dp *dp, uint32_t ip)
{
	return ip != 0 && (ip4_martian_dst(ip) || dp->nh[dp_nh_lookup(dp, ip)].kind == DP_RT_LOCAL);
}

void dp_subs_hide(struct dp *dp, uint16_t session)
{
	struct ctl_session *c = &dp->ctl[session];
	const bool hidden = c->live && is_hidden(dp, c->sub_ip);

	if (hidden != c->hidden)
		__atomic_store_n(&dp->n_hidden, dp->n_hidden + (hidden ? 1u : -1u),
		                 __ATOMIC_RELEASE);
	c->hidden = hidden;
}

void dp_subs_hide_in(struct dp *dp, uint32_t prefix, uint8_t len)
{
	const uint32_t mask = len == 0 ? 0 : UINT32_MAX << (32 - len);

	for (uint32_t id = 1; id < SESS_IDS; id++) {
		const struct ctl_session *c = &dp->ctl[id];

		if (c->live && ((c->sub_ip ^ prefix) & mask) == 0)
			dp_subs_hide(dp, (uint16_t)id);
	}
}

/* The place of the frame's destination, if it may be a subscriber's. A wrong one does no harm. */
static inline const uint16_t *place_of(const struct dp *dp, const struct rte_mbuf *m)
{
	const struct subs_leaf *leaf;
	uint32_t ip;

	if (m->data_len < AT_DST + 4)
		return NULL;
	ip = get_be32(rte_pktmbuf_mtod_offset(m, const uint8_t *, AT_DST));
	leaf = __atomic_load_n(&dp->subs[ip >> 16], __ATOMIC_ACQUIRE);
	return leaf == NULL ? NULL : &leaf->session[ip & 0xffff];
}

void dp_subs_ahead(const struct dp *dp, struct rte_mbuf *const *v, uint16_t n)
{
	const uint16_t *place;

	/* Where one does not go down, few do. */
	if (n == 0 || place_of(dp, v[0]) == NULL)
		return;
	for (uint16_t i = 0; i < n; i++) {
		place = place_of(dp, v[i]);
		if (place != NULL)
			rte_prefetch0(place);
	}
}

/* The array of the address's pool; NULL: it is in none. */
static struct subs_leaf *pool_leaf(const struct dp *dp, uint32_t ip)
{
	struct subs_leaf *leaf = dp->subs[ip >> 16];

	return leaf == dp->no_subs ? NULL : leaf;
}

int dp_subs_set(struct dp *dp, uint32_t ip, uint16_t session)
{
	struct subs_leaf *leaf = pool_leaf(dp, ip);

	if (leaf == NULL)
		return framed_set(dp, ip, session);
	__atomic_store_n(&leaf->session[ip & 0xffff], session, __ATOMIC_RELAXED);
	return 0;
}

void dp_subs_clear(struct dp *dp, uint32_t ip, uint16_t session)
{
	struct subs_leaf *leaf = pool_leaf(dp, ip);

	if (dp_subs_lookup(dp, ip) != session)
		return; /* a newer session has taken the address over */
	if (leaf == NULL)
		framed_clear(dp, ip);
	else
		__atomic_store_n(&leaf->session[ip & 0xffff], 0, __ATOMIC_RELAXED);
}

/* Makes the leaf of one /16 and moves what the hash knows of it there. */
static int leaf_add(struct dp *dp, uint32_t top)
{
	struct subs_leaf *leaf;

	leaf = rte_zmalloc_socket("dp_leaf", sizeof(*leaf), RTE_CACHE_LINE_SIZE, dp->conf.socket);
	if (leaf == NULL)
		return -ENOMEM;
	for (uint32_t id = 1; id < SESS_IDS; id++) {
		uint32_t ip = dp->ctl[id].sub_ip;

		if (dp->ctl[id].live && ip != 0 && ip >> 16 == top &&
		    dp_framed_lookup(dp, ip) == id)
			leaf->session[ip & 0xffff] = (uint16_t)id;
	}
	__atomic_store_n(&dp->subs[top], leaf, __ATOMIC_RELEASE);
	for (uint32_t low = 0; low < 65536; low++) {
		if (leaf->session[low] != 0)
			framed_clear(dp, top << 16 | low);
	}
	return 0;
}

int dp_pool_add(struct dp *dp, uint32_t first, uint32_t n)
{
	int rc = 0;

	if (n == 0 || n - 1 > UINT32_MAX - first)
		return -EINVAL;
	for (uint32_t top = first >> 16; top <= (first + (n - 1)) >> 16 && rc == 0; top++) {
		if (pool_leaf(dp, top << 16) == NULL)
			rc = leaf_add(dp, top);
	}
	return rc;
}
