/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Ethernet devices: one receive and one transmit queue for each worker where the device has them. */
#include "ports/devargs.h"
#include "ports/priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_mbuf.h>

/* What spreads packets over queues: addresses, and ports, SPI, session id where the device looks at them. */
#define WANTED_RSS (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_ESP | RTE_ETH_RSS_L2TPV2)

static int fail(struct ports *p, const struct port *port, const char *what, int ret)
{
	log_error(p->log, "port %s (%s): %s: %s", port->cfg->name, port->dev_name, what,
	          strerror(-ret));
	return ret;
}

/* Every packet is one buffer all the way, so a whole frame has to fit into one. */
static int check_buffer(struct ports *p, const struct port *port, struct rte_mempool *pool)
{
	uint32_t room = rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM;
	uint32_t frame = port->cfg->mtu + RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN + RTE_ETHER_CRC_LEN;

	if (frame <= room)
		return 0;
	log_error(p->log, "port %s: an MTU of %u needs buffers of %u bytes, ours have %u",
	          port->cfg->name, port->cfg->mtu, frame, room);
	return -EMSGSIZE;
}

static void note_caps(struct port *port, uint16_t n_workers, const struct rte_eth_dev_info *info)
{
	uint64_t rss = info->flow_type_rss_offloads;

	port->caps = (struct dist_caps){
	        .n_workers = n_workers,
	        .n_rxq = port->n_rxq,
	        .max_rxq = info->max_rx_queues,
	        .hash_ip = (rss & RTE_ETH_RSS_IP) != 0,
	        .hash_udp = (rss & RTE_ETH_RSS_UDP) != 0,
	        .hash_esp = (rss & RTE_ETH_RSS_ESP) != 0,
	        .hash_l2tp = (rss & RTE_ETH_RSS_L2TPV2) != 0,
	};
}

static int configure(struct ports *p, struct port *port, const struct rte_eth_dev_info *info)
{
	uint16_t n_workers = dp_n_workers(p->dp);
	struct rte_eth_conf conf = {0};
	int ret;

	if (info->max_tx_queues < n_workers) {
		log_error(p->log,
		          "port %s (%s) has %u transmit queues, %u workers want one each: lower "
		          "system.workers",
		          port->cfg->name, port->dev_name, info->max_tx_queues, n_workers);
		return -ENOSPC;
	}
	port->n_txq = n_workers;
	port->n_rxq = RTE_MIN(n_workers, info->max_rx_queues);
	if (port->n_rxq > 1 && (info->flow_type_rss_offloads & WANTED_RSS) != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & WANTED_RSS;
	}
	note_caps(port, n_workers, info);
	ret = rte_eth_dev_configure(port->port_id, port->n_rxq, port->n_txq, &conf);
	if (ret != 0)
		return fail(p, port, "cannot be configured", ret);
	port->configured = true;
	return 0;
}

static int setup_queues(struct ports *p, struct port *port, struct rte_mempool *pool)
{
	uint16_t n_rxd = port->cfg->rx_descriptors, n_txd = port->cfg->tx_descriptors;
	unsigned int socket = (unsigned int)port->socket;
	int ret;

	ret = rte_eth_dev_adjust_nb_rx_tx_desc(port->port_id, &n_rxd, &n_txd);
	if (ret != 0)
		return fail(p, port, "descriptors", ret);
	for (uint16_t q = 0; q < port->n_rxq; q++) {
		ret = rte_eth_rx_queue_setup(port->port_id, q, n_rxd, socket, NULL, pool);
		if (ret != 0)
			return fail(p, port, "receive queue", ret);
	}
	for (uint16_t q = 0; q < port->n_txq; q++) {
		ret = rte_eth_tx_queue_setup(port->port_id, q, n_txd, socket, NULL);
		if (ret != 0)
			return fail(p, port, "transmit queue", ret);
	}
	return 0;
}

/* A device of the kernel has its MTU from netdev_take; drivers without the call take any frame. */
static int set_mtu(struct ports *p, struct port *port)
{
	uint16_t mtu = 0;
	int ret;

	port->mtu = port->cfg->mtu;
	if (port->netdev != NULL)
		return 0;
	if (rte_eth_dev_get_mtu(port->port_id, &mtu) == 0 && mtu == port->mtu)
		return 0;
	ret = rte_eth_dev_set_mtu(port->port_id, port->mtu);
	if (ret != 0 && ret != -ENOTSUP)
		return fail(p, port, "MTU is refused", ret);
	return 0;
}

static int take_netdev(struct ports *p, struct port *port)
{
	bool packet = devargs_is_driver(port->cfg->device, "net_af_packet");

	if (!packet && !devargs_is_driver(port->cfg->device, "net_af_xdp"))
		return 0;
	if (!devargs_get(port->cfg->device, "iface", port->netdev_name, sizeof(port->netdev_name)))
		return -EINVAL;
	port->netdev = netdev_take(port->netdev_name, port->cfg->mtu, packet, p->nl, p->log);
	return port->netdev == NULL ? -errno : 0;
}

/*
 * A virtual device is made here and not at EAL's start: a packet socket on a device that is down
 * keeps that error, and the first frame is lost to it.
 */
static int make_device(struct ports *p, struct port *port)
{
	char text[256], *args;
	int ret;

	ret = devargs_complete(port->cfg, dp_n_workers(p->dp), text, sizeof(text));
	if (ret != 0)
		return fail(p, port, "device string", ret);
	args = strchr(text, ',');
	log_debug(p->log, "port %s: making %s", port->cfg->name, text);
	ret = rte_eal_hotplug_add("vdev", port->dev_name, args != NULL ? args + 1 : "");
	if (ret != 0 && devargs_is_driver(port->cfg->device, "net_af_xdp"))
		return fail(p, port, "DPDK cannot make the device; has it a queue for each worker?",
		            ret);
	if (ret != 0)
		return fail(p, port, "DPDK cannot make the device", ret);
	port->made = true;
	return 0;
}

static int find_device(struct ports *p, struct port *port)
{
	int ret;

	devargs_name(port->cfg->device, port->dev_name, sizeof(port->dev_name));
	ret = take_netdev(p, port);
	if (ret == 0 && !devargs_is_pci(port->cfg->device))
		ret = make_device(p, port);
	if (ret != 0)
		return ret;
	ret = rte_eth_dev_get_port_by_name(port->dev_name, &port->port_id);
	if (ret != 0)
		log_error(p->log,
		          "port %s: DPDK found no network device %s: is it there, and bound to "
		          "vfio-pci?",
		          port->cfg->name, port->dev_name);
	return ret;
}

int port_open(struct ports *p, struct port *port)
{
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	struct rte_mempool *pool;
	int ret;

	ret = check_buffer(p, port, dp_mbuf_pool(p->dp));
	if (ret == 0)
		ret = find_device(p, port);
	if (ret == 0)
		ret = rte_eth_dev_info_get(port->port_id, &info);
	if (ret != 0)
		return ret;
	snprintf(port->driver, sizeof(port->driver), "%s", info.driver_name);
	port->socket = rte_eth_dev_socket_id(port->port_id);
	pool = dp_mbuf_pool_on(p->dp, port->socket);
	ret = configure(p, port, &info);
	if (ret == 0)
		ret = setup_queues(p, port, pool);
	if (ret == 0)
		ret = set_mtu(p, port);
	if (ret != 0)
		return ret;
	ret = rte_eth_dev_start(port->port_id);
	if (ret != 0)
		return fail(p, port, "does not start", ret);
	/* Routing protocols speak by multicast; drivers without the call deliver it anyway. */
	(void)rte_eth_allmulticast_enable(port->port_id);
	ret = rte_eth_macaddr_get(port->port_id, &mac);
	if (ret != 0)
		return fail(p, port, "has no MAC address", ret);
	memcpy(port->mac, mac.addr_bytes, sizeof(port->mac));
	return 0;
}

void port_distribute(struct ports *p, struct port *port)
{
	static const struct steer_ops rte = {rte_flow_validate, rte_flow_create, rte_flow_destroy};
	struct steer *s = &port->steer;

	*s = (struct steer){.ops = &rte, .port_id = port->port_id, .n_queues = port->n_rxq};
	for (uint16_t q = 0; q < port->n_rxq; q++) {
		int w = dp_queue_worker(p->dp, port->port_id, q);

		s->worker[q] = w < 0 ? q : (uint16_t)w;
	}
	steer_set(s, &port->caps);
	dist_choose(&port->caps, &port->plan);
	for (enum dist_traffic t = 0; t < DIST_TRAFFIC_MAX && port->caps.n_workers > 1; t++) {
		const char *why = port->plan.why[t];

		log_info(p->log, "port %s: %s: %s%s%s%s", port->cfg->name, dist_traffic_name(t),
		         dist_how_name(t, port->plan.how[t]), why[0] != '\0' ? " (" : "", why,
		         why[0] != '\0' ? ")" : "");
	}
}

void port_close(struct ports *p, struct port *port)
{
	if (port->configured) {
		steer_clear(&port->steer);
		(void)rte_eth_dev_stop(port->port_id);
		(void)rte_eth_dev_close(port->port_id);
	}
	if (port->made)
		(void)rte_eal_hotplug_remove("vdev", port->dev_name);
	port->configured = false;
	port->made = false;
	netdev_release(port->netdev, p->nl);
	port->netdev = NULL;
}

bool port_link_poll(struct ports *p, struct port *port)
{
	struct rte_eth_link link;
	bool up;

	if (!port->configured || rte_eth_link_get_nowait(port->port_id, &link) != 0)
		return false;
	/* Drivers on top of a device of the kernel always say up. */
	up = port->netdev != NULL ? netdev_has_link(port->netdev)
	                          : link.link_status == RTE_ETH_LINK_UP;
	if (up == port->link_up)
		return false;
	port->link_up = up;
	log_notice(p->log, "port %s: link is %s", port->cfg->name, up ? "up" : "down");
	return true;
}
