/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Ports: the DPDK environment, the ethernet devices, and what ties them to the Linux kernel. Each
 * interface has a kernel twin, a tap with the interface's addresses: the kernel answers ARP and ICMP
 * there and routing daemons speak there. One tun stands for all subscribers. Routes and neighbours
 * that the kernel has on twins are copied into the data plane.
 *
 * All functions are for the control thread. Where a function returns int it is 0 or a negative
 * errno, and a sentence about the cause is in the log.
 */
#pragma once

#include "config/config.h"
#include "dataplane/dp.h"

struct event_base;
struct ports;

/* The tun that stands for all subscribers: pools are routed to it in the kernel. */
#define PORTS_SUBSCRIBER_TUN "sp-sub"

/*
 * Starts DPDK as c->system and c->ports say: worker w is lcore w + 1, control is the main lcore 0.
 * Memory, CPUs and kernel devices are checked first. Once a process. DPDK's own lines go to log,
 * from any thread; log lives until ports_eal_cleanup. Before openlog(3), which DPDK calls too.
 */
int ports_eal_init(const struct config *c, struct log *log);
/* Workers have returned, ports and data plane are freed. */
void ports_eal_cleanup(void);

/*
 * Only remembers its arguments, which live longer than the result; c->ports is an array that
 * ports_info and ports_count follow. Returns NULL with errno set.
 */
struct ports *ports_new(const struct config *c, struct dp *dp, struct event_base *base,
                        struct log *log);

/*
 * Sets up and starts every port with receive buffers of the data plane, of the port's NUMA node where it
 * has some there, makes the interfaces of the data plane and their twins, static and pool routes, and copies what the kernel knows. Before workers
 * run. On failure everything is put back.
 */
int ports_start(struct ports *p);

/* Removes twins and routes, closes ports, gives the kernel its devices back. Workers have returned. */
void ports_stop(struct ports *p);
void ports_free(struct ports *p); /* stops first; NULL is nothing */

/*
 * Takes what is for the kernel: classes TWIN, SUBSCRIBER and NEIGH. Returns false for all others,
 * which are the caller's. Never blocks; what the kernel does not take is counted.
 */
bool ports_punt(struct ports *p, const struct dp_punt *punt);

/* Calls fn for the first configured IPv4 address (host order) of each interface that has one. */
typedef void (*ports_address_fn)(void *ctx, uint16_t ifidx, uint32_t ip);
void ports_each_address(const struct ports *p, ports_address_fn fn, void *ctx);

/* Makes the kernel resolve a next hop (IPv4, host order); the answer reaches dp_neigh_set. */
int ports_resolve(struct ports *p, uint16_t ifidx, uint32_t ip);

/*
 * Routes to the subscribers' tun for first to last (inclusive, host order) as the fewest prefixes
 * that cover exactly that. The configuration's pools are there from ports_start on; this is for
 * framed addresses outside them. Adding twice is harmless. They come back as DP_RT_SUBSCRIBER.
 */
int ports_pool_route_add(struct ports *p, uint32_t first, uint32_t last);
int ports_pool_route_del(struct ports *p, uint32_t first, uint32_t last);
/* The same for one framed prefix; host bits must be zero. */
int ports_framed_route_add(struct ports *p, uint32_t prefix, uint8_t len);
int ports_framed_route_del(struct ports *p, uint32_t prefix, uint8_t len);

/* ---- for shows ---- */

struct ports_info {
	char name[16]; /* of the configuration */
	char device[128]; /* DPDK's device name */
	char driver[32];
	char kernel_device[16]; /* netdev beneath (net_af_packet, net_af_xdp); else empty */
	uint8_t mac[6];
	uint16_t mtu;
	uint16_t port_id, n_rxq, n_txq;
	int socket; /* NUMA node, -1: any */
	bool link_up;
	uint32_t speed_mbps; /* 0: unknown */
	uint64_t rx_packets, rx_bytes, rx_missed, rx_errors, rx_no_buffer;
	uint64_t tx_packets, tx_bytes, tx_errors;
};

struct ports_twin_info {
	char name[16]; /* kernel interface */
	char port[16]; /* empty: the subscribers' tun */
	uint16_t ifidx, vlan;
	int kernel_ifindex;
	bool up; /* the kernel has it up */
	uint64_t to_kernel, to_kernel_dropped; /* packets */
	uint64_t from_kernel, from_kernel_dropped;
};

struct ports_kernel_info {
	uint32_t routes, neighbours; /* copied to the data plane */
	uint32_t routes_refused; /* that the data plane has not taken (yet) */
	uint64_t resyncs; /* full readings, the first included */
	uint64_t resolves; /* next hops the kernel was asked for */
};

/* How a port spreads packets over workers: a row for each kind of traffic. */
#define PORTS_DIST_ROWS 4
struct ports_dist_info {
	char name[16], driver[32];
	uint16_t n_rxq, n_rules; /* rules: of flows, in the device */
	struct {
		const char *traffic, *how;
		const char *why; /* .. and nothing better; empty: there is nothing better */
	} row[PORTS_DIST_ROWS];
};

uint32_t ports_count(const struct ports *p);
/* -ENOENT. The texts live as long as the port. */
int ports_get_dist_info(const struct ports *p, uint32_t i, struct ports_dist_info *out);
int ports_get_info(struct ports *p, uint32_t i, struct ports_info *out);
uint32_t ports_twin_count(const struct ports *p);
int ports_get_twin_info(const struct ports *p, uint32_t i, struct ports_twin_info *out);
void ports_get_kernel_info(const struct ports *p, struct ports_kernel_info *out);
/* The name of an interface of the data plane, for shows; "-" when there is none. */
const char *ports_if_name(const struct ports *p, uint16_t ifidx);
