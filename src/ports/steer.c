/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "ports/steer.h"

#include "dataplane/dp.h"

#include <assert.h>
#include <errno.h>

#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_l2tpv2.h>

#define L2TP_PORT 1701 /* RFC 2661 8.1 */
#define NAT_PORT  4500 /* RFC 3948 */

static_assert(STEER_QUEUES_MAX >= DP_MAX_WORKERS, "a queue a worker");

/* One rule: what to match and what to do. */
struct rule {
	struct rte_flow_item_udp udp, udp_mask;
	struct rte_flow_item_esp esp, esp_mask;
	struct rte_flow_item_l2tpv2 l2tp, l2tp_mask;
	struct rte_flow_item items[6];
	struct rte_flow_action_queue queue;
	struct rte_flow_action_rss rss;
	uint16_t queues[STEER_QUEUES_MAX];
	struct rte_flow_action actions[2];
};

static void match(struct rule *r, enum rte_flow_item_type type, const void *spec, const void *mask)
{
	struct rte_flow_item *i = r->items;

	while (i->type != RTE_FLOW_ITEM_TYPE_END)
		i++;
	*i = (struct rte_flow_item){.type = type, .spec = spec, .mask = mask};
	i[1].type = RTE_FLOW_ITEM_TYPE_END;
}

static void match_outer(struct rule *r, uint16_t udp_port)
{
	r->items[0].type = RTE_FLOW_ITEM_TYPE_END;
	match(r, RTE_FLOW_ITEM_TYPE_ETH, NULL, NULL);
	match(r, RTE_FLOW_ITEM_TYPE_IPV4, NULL, NULL);
	if (udp_port == 0)
		return;
	r->udp.hdr.dst_port = rte_cpu_to_be_16(udp_port);
	r->udp_mask.hdr.dst_port = RTE_BE16(UINT16_MAX);
	match(r, RTE_FLOW_ITEM_TYPE_UDP, &r->udp, &r->udp_mask);
}

static void act(struct rule *r, enum rte_flow_action_type type, const void *conf)
{
	r->actions[0] = (struct rte_flow_action){.type = type, .conf = conf};
	r->actions[1] = (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_END};
}

/* ESP whose SPI names the worker goes to its queue. */
static void rule_owner(struct rule *r, enum dist_traffic t, uint16_t worker, uint16_t queue)
{
	*r = (struct rule){0};
	match_outer(r, t == DIST_ESP_UDP ? NAT_PORT : 0);
	r->esp.hdr.spi = rte_cpu_to_be_32(worker);
	r->esp_mask.hdr.spi = rte_cpu_to_be_32(DP_SPI_WORKER_MASK);
	match(r, RTE_FLOW_ITEM_TYPE_ESP, &r->esp, &r->esp_mask);
	r->queue.index = queue;
	act(r, RTE_FLOW_ACTION_TYPE_QUEUE, &r->queue);
}

/* A hash of SPI or session id. Some drivers want the queues named, some want them not named. */
static void rule_hash(struct rule *r, enum dist_traffic t, uint16_t l2tp_flags, uint16_t n_queues)
{
	*r = (struct rule){0};
	match_outer(r, t == DIST_ESP_UDP ? NAT_PORT : t == DIST_L2TP ? L2TP_PORT : 0);
	if (t == DIST_L2TP) {
		r->l2tp.hdr.common.flags_version = rte_cpu_to_be_16(l2tp_flags);
		r->l2tp_mask = rte_flow_item_l2tpv2_mask;
		match(r, RTE_FLOW_ITEM_TYPE_L2TPV2, &r->l2tp, &r->l2tp_mask);
	} else {
		match(r, RTE_FLOW_ITEM_TYPE_ESP, NULL, NULL);
	}
	r->rss.types = t == DIST_L2TP ? RTE_ETH_RSS_L2TPV2 : RTE_ETH_RSS_ESP;
	r->rss.queue_num = n_queues;
	for (uint16_t q = 0; q < n_queues; q++)
		r->queues[q] = q;
	r->rss.queue = n_queues > 0 ? r->queues : NULL;
	act(r, RTE_FLOW_ACTION_TYPE_RSS, &r->rss);
}

static int answer(struct dist_asked *a, int ret, const struct rte_flow_error *e)
{
	dist_answer(a, ret, e->message);
	return ret;
}

/* Asks first, so that what a driver cannot do at all costs one question. */
static int put(struct steer *s, const struct rule *r, struct dist_asked *a)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	struct rte_flow_error e = {0};
	struct rte_flow *f;
	int ret = s->ops->validate(s->port_id, &attr, r->items, r->actions, &e);

	if (ret != 0)
		return answer(a, ret, &e);
	if (s->n_rules == STEER_RULES_MAX)
		return answer(a, -ENOSPC, &e);
	f = s->ops->create(s->port_id, &attr, r->items, r->actions, &e);
	if (f == NULL)
		return answer(a, rte_errno != 0 ? -rte_errno : -EIO, &e);
	s->rule[s->n_rules++] = f;
	e.message = NULL;
	return answer(a, 0, &e);
}

static void drop_to(struct steer *s, uint16_t n)
{
	struct rte_flow_error e;

	while (s->n_rules > n)
		(void)s->ops->destroy(s->port_id, s->rule[--s->n_rules], &e);
}

static int set_owner(struct steer *s, enum dist_traffic t, struct dist_asked *a)
{
	uint16_t before = s->n_rules;
	struct rule r;

	for (uint16_t q = 0; q < s->n_queues; q++) {
		rule_owner(&r, t, s->worker[q], q);
		if (put(s, &r, a) != 0) {
			drop_to(s, before);
			return a->ret;
		}
	}
	return 0;
}

/* Sessions differ in what their headers have: hashes of one kind only would spread some of them. */
static const uint16_t l2tp_kinds[] = {RTE_L2TPV2_MSG_TYPE_DATA, RTE_L2TPV2_MSG_TYPE_DATA_L,
                                      RTE_L2TPV2_MSG_TYPE_DATA_S, RTE_L2TPV2_MSG_TYPE_DATA_L_S};

static int set_hash(struct steer *s, enum dist_traffic t, uint16_t n_queues, struct dist_asked *a)
{
	size_t n = t == DIST_L2TP ? RTE_DIM(l2tp_kinds) : 1;
	uint16_t before = s->n_rules;
	struct rule r;

	for (size_t i = 0; i < n; i++) {
		rule_hash(&r, t, l2tp_kinds[i], n_queues);
		if (put(s, &r, a) != 0) {
			drop_to(s, before);
			return a->ret;
		}
	}
	return 0;
}

void steer_set(struct steer *s, struct dist_caps *caps)
{
	if (s->n_queues < 2)
		return;
	for (enum dist_traffic t = 0; t < DIST_REST; t++) {
		if (t != DIST_L2TP && set_owner(s, t, &caps->owner[t]) == 0)
			continue;
		if (set_hash(s, t, 0, &caps->id[t]) != 0)
			(void)set_hash(s, t, s->n_queues, &caps->id[t]);
	}
}

void steer_clear(struct steer *s)
{
	drop_to(s, 0);
}
