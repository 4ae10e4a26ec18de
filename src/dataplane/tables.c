/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Routes and the next hops they name: written by control, read by every worker. */
#include "dataplane/priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#define LPM_RULES 131072
#define LPM_TBL8S 4096

/* ---- indices with a grace period ---- */

int dp_slots_init(struct slots *s, uint32_t first, uint32_t n)
{
	s->free = calloc(n, sizeof(*s->free));
	s->dead = calloc(n, sizeof(*s->dead));
	if (s->free == NULL || s->dead == NULL)
		return -ENOMEM;
	s->size = n;
	s->n_free = n;
	for (uint32_t i = 0; i < n; i++)
		s->free[i] = first + n - 1 - i;
	return 0;
}

void dp_slots_free(struct slots *s)
{
	free(s->free);
	free(s->dead);
}

void dp_slots_reclaim(struct slots *s, struct rte_rcu_qsbr *qsbr)
{
	while (s->n_dead > 0 && rte_rcu_qsbr_check(qsbr, s->dead[s->dead_head].token, false) == 1) {
		s->free[s->n_free++] = s->dead[s->dead_head].idx;
		s->dead_head = (s->dead_head + 1) % s->size;
		s->n_dead--;
	}
}

uint32_t dp_slots_get(struct slots *s, struct rte_rcu_qsbr *qsbr)
{
	dp_slots_reclaim(s, qsbr);
	return s->n_free > 0 ? s->free[--s->n_free] : UINT32_MAX;
}

void dp_slots_put(struct slots *s, struct rte_rcu_qsbr *qsbr, uint32_t idx)
{
	uint32_t at = (s->dead_head + s->n_dead++) % s->size;

	s->dead[at].idx = idx;
	s->dead[at].token = rte_rcu_qsbr_start(qsbr);
}

/* ---- next hops ---- */

static bool nh_same(const struct nh *nh, const struct dp_route *r)
{
	return nh->kind == r->kind && nh->ifidx == r->ifidx &&
	       nh->gateway == (r->kind == DP_RT_VIA ? r->gateway : 0);
}

/*
 * The next hop of a route, shared by all routes that have the same. A router has few, so they are
 * searched one by one. Returns 0 when there is no room.
 */
static uint32_t nh_ref(struct dp *dp, const struct dp_route *r)
{
	struct nh nh = {.kind = (uint8_t)r->kind, .ifidx = r->ifidx, .neigh = UINT32_MAX};
	uint32_t i;

	for (i = 1; i < NH_MAX; i++) {
		if (dp->nh_refs[i] > 0 && nh_same(&dp->nh[i], r)) {
			dp->nh_refs[i]++;
			return i;
		}
	}
	if (r->kind == DP_RT_VIA) {
		nh.gateway = r->gateway;
		nh.neigh = dp_neigh_ref(dp, r->ifidx, r->gateway);
		if (nh.neigh == UINT32_MAX)
			return 0;
	}
	i = dp_slots_get(&dp->nh_slots, dp->qsbr);
	if (i == UINT32_MAX) {
		if (nh.neigh != UINT32_MAX)
			dp_neigh_unref(dp, nh.neigh);
		return 0;
	}
	dp->nh[i] = nh;
	dp->nh_refs[i] = 1;
	/* The table that leads workers here is written after it. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	return i;
}

static void nh_unref(struct dp *dp, uint32_t i)
{
	if (i == 0 || --dp->nh_refs[i] > 0)
		return;
	if (dp->nh[i].neigh != UINT32_MAX)
		dp_neigh_unref(dp, dp->nh[i].neigh);
	dp_slots_put(&dp->nh_slots, dp->qsbr, i);
}

/* ---- routes ---- */

static uint32_t route_find(const struct dp *dp, uint32_t prefix, uint8_t len)
{
	uint32_t nh;

	if (len == 0)
		return dp->default_nh;
	return rte_lpm_is_rule_present(dp->lpm, prefix, len, &nh) == 1 ? nh : 0;
}

static uint32_t prefix_mask(uint8_t len)
{
	return len == 0 ? 0 : UINT32_MAX << (32 - len);
}

static bool is_local(const struct dp *dp, uint32_t nh)
{
	return dp->nh[nh].kind == DP_RT_LOCAL;
}

/* After the route of a prefix was one to ourselves, or is one now. */
static void locals_changed(struct dp *dp, uint32_t prefix, uint8_t len, bool was, bool is)
{
	if (len < 32 && was != is)
		dp->n_local_nets += is ? 1u : -1u;
	if (was || is)
		dp_subs_hide_in(dp, prefix, len);
}

int dp_route_set(struct dp *dp, const struct dp_route *r)
{
	uint32_t prefix, old, nh;

	if (r->len > 32 || r->kind > DP_RT_BLACKHOLE)
		return -EINVAL;
	if ((r->kind == DP_RT_CONNECTED || r->kind == DP_RT_VIA) && r->ifidx >= dp->n_ifs)
		return -ENODEV;
	prefix = r->prefix & prefix_mask(r->len);
	old = route_find(dp, prefix, r->len);
	nh = nh_ref(dp, r);
	if (nh == 0)
		return -ENOSPC;
	if (r->len == 0) {
		__atomic_store_n(&dp->default_nh, nh, __ATOMIC_RELEASE);
	} else if (rte_lpm_add(dp->lpm, prefix, r->len, nh) != 0) {
		nh_unref(dp, nh);
		return -ENOSPC;
	}
	if (old == 0)
		dp->n_routes++;
	locals_changed(dp, prefix, r->len, is_local(dp, old), r->kind == DP_RT_LOCAL);
	nh_unref(dp, old);
	return 0;
}

int dp_route_del(struct dp *dp, uint32_t prefix, uint8_t len)
{
	uint32_t old;

	if (len > 32)
		return -EINVAL;
	prefix &= prefix_mask(len);
	old = route_find(dp, prefix, len);
	if (old == 0)
		return -ENOENT;
	if (len == 0)
		__atomic_store_n(&dp->default_nh, 0, __ATOMIC_RELEASE);
	else if (rte_lpm_delete(dp->lpm, prefix, len) != 0)
		return -EIO;
	dp->n_routes--;
	locals_changed(dp, prefix, len, is_local(dp, old), false);
	if (dp->n_local_nets > 0) /* it may have been the way out of one */
		dp_subs_hide_in(dp, prefix, len);
	nh_unref(dp, old);
	return 0;
}

uint32_t dp_route_count(const struct dp *dp)
{
	return dp->n_routes;
}

/* ---- life ---- */

static int lpm_init(struct dp *dp)
{
	struct rte_lpm_config conf = {.max_rules = LPM_RULES, .number_tbl8s = LPM_TBL8S};
	struct rte_lpm_rcu_config rcu = {.v = dp->qsbr, .mode = RTE_LPM_QSBR_MODE_DQ};
	char name[RTE_LPM_NAMESIZE];

	snprintf(name, sizeof(name), "dp_lpm_%p", (void *)dp);
	dp->lpm = rte_lpm_create(name, dp->conf.socket, &conf);
	if (dp->lpm == NULL)
		return -ENOMEM;
	return rte_lpm_rcu_qsbr_add(dp->lpm, &rcu) == 0 ? 0 : -ENOMEM;
}

int dp_tables_init(struct dp *dp)
{
	size_t qsbr_size = rte_rcu_qsbr_get_memsize(DP_MAX_WORKERS);
	int rc;

	dp->qsbr = rte_zmalloc_socket("dp_qsbr", qsbr_size, RTE_CACHE_LINE_SIZE, dp->conf.socket);
	dp->nh = rte_calloc_socket("dp_nh", NH_MAX, sizeof(*dp->nh), RTE_CACHE_LINE_SIZE,
	                           dp->conf.socket);
	dp->nh_refs = calloc(NH_MAX, sizeof(*dp->nh_refs));
	if (dp->qsbr == NULL || dp->nh == NULL || dp->nh_refs == NULL)
		return -ENOMEM;
	if (rte_rcu_qsbr_init(dp->qsbr, DP_MAX_WORKERS) != 0)
		return -EINVAL;
	dp->nh[0].kind = RT_NONE;
	rc = dp_slots_init(&dp->nh_slots, 1, NH_MAX - 1);
	if (rc == 0)
		rc = lpm_init(dp);
	if (rc == 0)
		rc = dp_neigh_init(dp);
	if (rc == 0)
		rc = dp_subs_init(dp);
	return rc;
}

void dp_tables_free(struct dp *dp)
{
	dp_subs_free(dp);
	rte_hash_free(dp->neigh_hash);
	rte_free(dp->neigh);
	dp_slots_free(&dp->neigh_slots);
	rte_lpm_free(dp->lpm);
	rte_free(dp->nh);
	free(dp->nh_refs);
	dp_slots_free(&dp->nh_slots);
	rte_free(dp->qsbr);
}
