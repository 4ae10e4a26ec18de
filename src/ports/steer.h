/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Flow rules of a port (rte_flow) that send packets to the queue of their owner, or hash their id. */
#pragma once

#include "ports/dist.h"

#include <stdint.h>

struct rte_flow;
struct rte_flow_attr;
struct rte_flow_item;
struct rte_flow_action;
struct rte_flow_error;

/* DPDK's three functions; tests have their own. */
struct steer_ops {
	int (*validate)(uint16_t port_id, const struct rte_flow_attr *attr,
	                const struct rte_flow_item *pattern, const struct rte_flow_action *actions,
	                struct rte_flow_error *error);
	struct rte_flow *(*create)(uint16_t port_id, const struct rte_flow_attr *attr,
	                           const struct rte_flow_item *pattern,
	                           const struct rte_flow_action *actions,
	                           struct rte_flow_error *error);
	int (*destroy)(uint16_t port_id, struct rte_flow *flow, struct rte_flow_error *error);
};

#define STEER_QUEUES_MAX 64
#define STEER_RULES_MAX  (2 * STEER_QUEUES_MAX + 8)

struct steer {
	const struct steer_ops *ops;
	uint16_t port_id, n_queues;
	uint16_t worker[STEER_QUEUES_MAX]; /* that polls each queue */
	uint16_t n_rules;
	struct rte_flow *rule[STEER_RULES_MAX];
};

/*
 * Asks the driver of a started port for the best rules that it takes, and notes its answers in caps. Of
 * traffic that it takes only a part of the rules for, none stays. With one queue it asks for nothing.
 */
void steer_set(struct steer *s, struct dist_caps *caps);
void steer_clear(struct steer *s); /* before the port stops */
