/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Ports and the interfaces on them. */
#include "dataplane/priv.h"

#include <errno.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_malloc.h>

#define VLAN_IDS 4096

static int vlan_table(struct dp *dp, uint16_t port_id)
{
	struct port *p = &dp->ports[port_id];

	if (p->vlan_if != NULL)
		return 0;
	p->vlan_if =
	        rte_malloc_socket("dp_vlan", VLAN_IDS * sizeof(*p->vlan_if), 0, dp->conf.socket);
	if (p->vlan_if == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < VLAN_IDS; i++)
		p->vlan_if[i] = DP_IF_NONE;
	return 0;
}

/* What a frame out of the interface starts with, behind the destination address. */
static void l2_header(struct interface *ifc)
{
	uint8_t *p = ifc->l2;

	memcpy(p + 6, ifc->conf.mac, 6);
	p += 12;
	if (ifc->conf.vlan != 0) {
		put_be16(p, RTE_ETHER_TYPE_VLAN);
		put_be16(p + 2, ifc->conf.vlan);
		p += 4;
	}
	put_be16(p, RTE_ETHER_TYPE_IPV4);
	ifc->l2_len = (uint8_t)(p + 2 - ifc->l2);
}

int dp_if_add(struct dp *dp, const struct dp_if_conf *conf)
{
	struct interface *ifc;
	uint16_t *slot;
	int rc;

	/* 576: RFC 791, what every IPv4 host takes. 4094: the last VLAN id of 802.1Q. */
	if (conf->port_id >= RTE_MAX_ETHPORTS || conf->vlan > 4094 || conf->mtu < 576)
		return -EINVAL;
	if (dp->n_ifs == DP_MAX_IFS)
		return -ENOSPC;
	rc = vlan_table(dp, conf->port_id);
	if (rc != 0)
		return rc;
	slot = &dp->ports[conf->port_id].vlan_if[conf->vlan];
	if (*slot != DP_IF_NONE)
		return -EEXIST;
	ifc = &dp->ifs[dp->n_ifs];
	ifc->conf = *conf;
	l2_header(ifc);
	*slot = (uint16_t)dp->n_ifs;
	if (conf->vlan == 0)
		dp_usual_make(&dp->ports[conf->port_id], conf->mac);
	return (int)dp->n_ifs++;
}

/* The worker with the fewest queues; of those that have equally many the first. */
static struct worker *least_queues(const struct dp *dp)
{
	struct worker *best = dp->workers[0];

	for (uint16_t i = 1; i < dp->conf.n_workers; i++) {
		if (dp->workers[i]->n_rxq < best->n_rxq)
			best = dp->workers[i];
	}
	return best;
}

int dp_port_add(struct dp *dp, uint16_t port_id, uint16_t n_rxq, uint16_t n_txq)
{
	struct worker *w;
	struct port *p;
	int rc;

	if (port_id >= RTE_MAX_ETHPORTS || n_rxq == 0 || n_rxq > RTE_MAX_QUEUES_PER_PORT ||
	    n_txq < dp->conf.n_workers)
		return -EINVAL;
	p = &dp->ports[port_id];
	if (p->used)
		return -EEXIST;
	rc = vlan_table(dp, port_id);
	if (rc != 0)
		return rc;
	p->used = true;
	p->n_rxq = n_rxq;
	p->n_txq = n_txq;
	for (uint16_t q = 0; q < n_rxq; q++) {
		/* What a rule of the port sends to a worker finds it at the queue of its number. */
		w = n_rxq == dp->conf.n_workers ? dp->workers[q] : least_queues(dp);
		w->rxq[w->n_rxq++] = (struct rxq){.port = port_id, .queue = q};
	}
	return 0;
}

int dp_queue_worker(const struct dp *dp, uint16_t port_id, uint16_t queue)
{
	for (uint16_t i = 0; i < dp->conf.n_workers; i++) {
		const struct worker *w = dp->workers[i];

		for (uint32_t j = 0; j < w->n_rxq; j++)
			if (w->rxq[j].port == port_id && w->rxq[j].queue == queue)
				return i;
	}
	return -ENOENT;
}

uint32_t dp_worker_queues(const struct dp *dp, uint16_t worker)
{
	return worker < dp->conf.n_workers ? dp->workers[worker]->n_rxq : 0;
}
