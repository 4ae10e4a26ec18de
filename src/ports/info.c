/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What shows and metrics read of ports and twins. */
#include "ports/priv.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_ethdev.h>

uint32_t ports_count(const struct ports *p)
{
	return p->port == NULL ? 0 : p->config->n_ports;
}

int ports_get_info(struct ports *p, uint32_t i, struct ports_info *out)
{
	struct rte_eth_stats st;
	struct rte_eth_link link;
	const struct port *port;

	if (i >= ports_count(p))
		return -ENOENT;
	port = &p->port[i];
	memset(out, 0, sizeof(*out));
	snprintf(out->name, sizeof(out->name), "%s", port->cfg->name);
	snprintf(out->device, sizeof(out->device), "%s", port->dev_name);
	snprintf(out->driver, sizeof(out->driver), "%s", port->driver);
	snprintf(out->kernel_device, sizeof(out->kernel_device), "%s", port->netdev_name);
	memcpy(out->mac, port->mac, sizeof(out->mac));
	out->mtu = port->mtu;
	out->port_id = port->port_id;
	out->n_rxq = port->n_rxq;
	out->n_txq = port->n_txq;
	out->socket = port->socket;
	out->link_up = port->link_up;
	/* Drivers on top of a device of the kernel make a speed up. */
	if (port->link_up && port->netdev == NULL &&
	    rte_eth_link_get_nowait(port->port_id, &link) == 0 &&
	    link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN)
		out->speed_mbps = link.link_speed;
	if (rte_eth_stats_get(port->port_id, &st) != 0)
		return 0;
	out->rx_packets = st.ipackets;
	out->rx_bytes = st.ibytes;
	out->rx_missed = st.imissed;
	out->rx_errors = st.ierrors;
	out->rx_no_buffer = st.rx_nombuf;
	out->tx_packets = st.opackets;
	out->tx_bytes = st.obytes;
	out->tx_errors = st.oerrors;
	return 0;
}

static_assert(PORTS_DIST_ROWS == DIST_TRAFFIC_MAX, "a row for each kind of traffic");

int ports_get_dist_info(const struct ports *p, uint32_t i, struct ports_dist_info *out)
{
	const struct port *port;

	if (i >= ports_count(p))
		return -ENOENT;
	port = &p->port[i];
	*out = (struct ports_dist_info){.n_rxq = port->n_rxq, .n_rules = port->steer.n_rules};
	snprintf(out->name, sizeof(out->name), "%s", port->cfg->name);
	snprintf(out->driver, sizeof(out->driver), "%s", port->driver);
	for (enum dist_traffic t = 0; t < DIST_TRAFFIC_MAX; t++) {
		out->row[t].traffic = dist_traffic_name(t);
		out->row[t].how = dist_how_name(t, port->plan.how[t]);
		out->row[t].why = port->plan.why[t];
	}
	return 0;
}

uint32_t ports_twin_count(const struct ports *p)
{
	return p->n_twins;
}

int ports_get_twin_info(const struct ports *p, uint32_t i, struct ports_twin_info *out)
{
	const struct twin *t;

	if (i >= p->n_twins)
		return -ENOENT;
	t = &p->twins[i];
	memset(out, 0, sizeof(*out));
	snprintf(out->name, sizeof(out->name), "%s", t->name);
	if (t->port != NULL)
		snprintf(out->port, sizeof(out->port), "%s", t->port->cfg->name);
	out->ifidx = t->ifidx;
	out->vlan = t->vlan;
	out->kernel_ifindex = t->ifindex;
	out->up = t->up;
	out->to_kernel = t->to_kernel;
	out->to_kernel_dropped = t->to_kernel_dropped;
	out->from_kernel = t->from_kernel;
	out->from_kernel_dropped = t->from_kernel_dropped;
	return 0;
}

void ports_get_kernel_info(const struct ports *p, struct ports_kernel_info *out)
{
	memset(out, 0, sizeof(*out));
	if (p->kernel != NULL)
		kernel_info(p->kernel, out);
}

const char *ports_if_name(const struct ports *p, uint16_t ifidx)
{
	const struct twin *t = ifidx < DP_MAX_IFS ? p->by_ifidx[ifidx] : NULL;

	return t != NULL ? t->name : "-";
}
