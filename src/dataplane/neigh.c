/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Neighbours: stations on our links and their MAC addresses. Written by control alone. */
#include "dataplane/priv.h"

#include <errno.h>
#include <string.h>

#include <rte_hash_crc.h>
#include <rte_malloc.h>

int dp_neigh_init(struct dp *dp)
{
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters params = {
	        .name = name,
	        .entries = NEIGH_MAX,
	        .key_len = sizeof(struct neigh_key),
	        .hash_func = rte_hash_crc,
	        .socket_id = dp->conf.socket,
	        .extra_flag =
	                RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF | RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};
	struct rte_hash_rcu_config rcu = {.v = dp->qsbr, .mode = RTE_HASH_QSBR_MODE_DQ};

	snprintf(name, sizeof(name), "dp_neigh_%x", (unsigned)((uintptr_t)dp >> 6));
	dp->neigh = rte_calloc_socket("dp_neigh", NEIGH_MAX, sizeof(*dp->neigh),
	                              RTE_CACHE_LINE_SIZE, dp->conf.socket);
	dp->neigh_hash = rte_hash_create(&params);
	if (dp->neigh == NULL || dp->neigh_hash == NULL ||
	    rte_hash_rcu_qsbr_add(dp->neigh_hash, &rcu) != 0)
		return -ENOMEM;
	return dp_slots_init(&dp->neigh_slots, 0, NEIGH_MAX);
}

static uint32_t neigh_find(const struct dp *dp, uint16_t ifidx, uint32_t ip)
{
	struct neigh_key key = {.ip = ip, .ifidx = ifidx};
	void *data;

	if (rte_hash_lookup_data(dp->neigh_hash, &key, &data) < 0)
		return UINT32_MAX;
	return (uint32_t)(uintptr_t)data;
}

static uint32_t neigh_get(struct dp *dp, uint16_t ifidx, uint32_t ip)
{
	struct neigh_key key = {.ip = ip, .ifidx = ifidx};
	uint32_t idx = neigh_find(dp, ifidx, ip);

	if (idx != UINT32_MAX)
		return idx;
	idx = dp_slots_get(&dp->neigh_slots, dp->qsbr);
	if (idx == UINT32_MAX)
		return idx;
	dp->neigh[idx] = (struct neigh){.ip = ip, .ifidx = ifidx};
	if (rte_hash_add_key_data(dp->neigh_hash, &key, (void *)(uintptr_t)idx) != 0) {
		dp_slots_put(&dp->neigh_slots, dp->qsbr, idx);
		return UINT32_MAX;
	}
	return idx;
}

/* Forgets an entry that neither has an address nor is some route's gateway. */
static void neigh_collect(struct dp *dp, uint32_t idx)
{
	struct neigh *n = &dp->neigh[idx];
	struct neigh_key key = {.ip = n->ip, .ifidx = n->ifidx};

	if (n->refs > 0 || n->mac != 0)
		return;
	rte_hash_del_key(dp->neigh_hash, &key);
	dp_slots_put(&dp->neigh_slots, dp->qsbr, idx);
}

uint32_t dp_neigh_ref(struct dp *dp, uint16_t ifidx, uint32_t ip)
{
	uint32_t idx = neigh_get(dp, ifidx, ip);

	if (idx != UINT32_MAX)
		dp->neigh[idx].refs++;
	return idx;
}

void dp_neigh_unref(struct dp *dp, uint32_t idx)
{
	dp->neigh[idx].refs--;
	neigh_collect(dp, idx);
}

uint64_t dp_neigh_mac(const struct dp *dp, uint16_t ifidx, uint32_t ip)
{
	uint32_t idx = neigh_find(dp, ifidx, ip);

	return idx == UINT32_MAX ? 0 : __atomic_load_n(&dp->neigh[idx].mac, __ATOMIC_RELAXED);
}

int dp_neigh_set(struct dp *dp, uint16_t ifidx, uint32_t ip, const uint8_t *mac)
{
	struct fifo_msg msg = {.op = FIFO_NEIGH, .id = ifidx, .neigh.ip = ip};
	uint32_t idx;

	if (ifidx >= dp->n_ifs)
		return -ENODEV;
	if (!dp_fifo_room(dp, -1))
		return -EAGAIN;
	if (mac != NULL) {
		memcpy(&msg.neigh.mac, mac, 6);
		msg.neigh.mac |= MAC_KNOWN;
		if (dp_neigh_mac(dp, ifidx, ip) == msg.neigh.mac)
			return 0; /* nothing new: no packet waits */
		idx = neigh_get(dp, ifidx, ip);
		if (idx == UINT32_MAX)
			return -ENOSPC;
	} else {
		idx = neigh_find(dp, ifidx, ip);
	}
	if (idx != UINT32_MAX) {
		__atomic_store_n(&dp->neigh[idx].mac, msg.neigh.mac, __ATOMIC_RELEASE);
		neigh_collect(dp, idx);
	}
	dp_fifo_put_all(dp, &msg);
	return 0;
}
