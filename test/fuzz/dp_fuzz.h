/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A data plane for fuzz targets: two in-memory ports, two workers that the target turns, the law of
 * accounting. What lies behind a frame in its buffer is poisoned.
 */
#pragma once

#include "dataplane/priv.h"

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_eth_ring.h>

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))
#define LNS            IP(192, 0, 2, 1)
#define LAC            IP(192, 0, 2, 10)
#define GW             IP(203, 0, 113, 254)
#define WORLD          IP(8, 8, 8, 8)
#define SUB            IP(10, 64, 0, 5)
#define PORTS          2
#define QUEUES         2
#define FRAME_MAX      1900
#define TID            0x0101
#define SID            0x1001

#define FLAG_QUEUE 0x08
#define FLAG_VLAN  0x10
#define FLAG_CORE  0x20

struct fuzz {
	struct dp *dp;
	struct rte_mempool *pool;
	struct rte_ring *rx[PORTS][QUEUES], *tx[PORTS][QUEUES];
};

/* The instance stays, and lives in EAL's memory, where the leak check does not look for pointers. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static struct fuzz *fuzz(void)
{
	static struct fuzz f;

	return &f;
}

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "fuzz: %s\n", what);
		abort();
	}
}

static void port_make(struct fuzz *f, uint16_t port)
{
	struct rte_eth_conf conf = {0};
	char name[32];

	for (int q = 0; q < QUEUES; q++) {
		snprintf(name, sizeof(name), "rx%u.%d", port, q);
		f->rx[port][q] = rte_ring_create(name, 1024, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
		snprintf(name, sizeof(name), "tx%u.%d", port, q);
		f->tx[port][q] = rte_ring_create(name, 1024, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	}
	snprintf(name, sizeof(name), "fuzz%u", port);
	must(rte_eth_from_rings(name, f->rx[port], QUEUES, f->tx[port], QUEUES, 0) == port &&
	             rte_eth_dev_configure(port, QUEUES, QUEUES, &conf) == 0,
	     "port");
	for (uint16_t q = 0; q < QUEUES; q++) {
		must(rte_eth_rx_queue_setup(port, q, 64, 0, NULL, f->pool) == 0 &&
		             rte_eth_tx_queue_setup(port, q, 64, 0, NULL) == 0,
		     "queue");
	}
	must(rte_eth_dev_start(port) == 0, "start");
}

static void net_make(struct dp *dp)
{
	static const uint8_t mac[6] = {2, 0xaa, 0, 0, 0, 1};
	const struct dp_if_conf ifs[] = {
	        {.port_id = 0, .mac = {2, 0, 0, 0, 0, 1}, .mtu = 1500},
	        {.port_id = 0, .vlan = 100, .mac = {2, 0, 0, 0, 0, 1}, .mtu = 576},
	        {.port_id = 1, .mac = {2, 0, 0, 0, 0, 2}, .mtu = 1500},
	};
	const struct dp_route routes[] = {
	        {LNS, 32, DP_RT_LOCAL, 0, 0},
	        {LNS, 24, DP_RT_CONNECTED, 0, 0},
	        {IP(198, 51, 100, 0), 24, DP_RT_CONNECTED, 1, 0},
	        {SUB, 16, DP_RT_SUBSCRIBER, 0, 0},
	        {0, 0, DP_RT_VIA, 2, GW},
	};

	for (size_t i = 0; i < RTE_DIM(ifs); i++)
		must(dp_if_add(dp, &ifs[i]) == (int)i, "interface");
	for (uint16_t p = 0; p < PORTS; p++)
		must(dp_port_add(dp, p, QUEUES, QUEUES) == 0, "port");
	for (size_t i = 0; i < RTE_DIM(routes); i++)
		must(dp_route_set(dp, &routes[i]) == 0, "route");
	must(dp_pool_add(dp, SUB, 100) == 0, "pool");
	must(dp_neigh_set(dp, 0, LAC, mac) == 0 && dp_neigh_set(dp, 2, GW, mac) == 0, "neighbour");
}

/* EAL, ports, and a data plane with two workers, routes and neighbours. */
static void fuzz_start(void)
{
	char *args[] = {"fuzz",           "--no-huge",   "-m", "256", "--no-pci",
	                "--no-telemetry", "--no-shconf", "-l", "0",   "--log-level=error"};
	struct dp_conf conf = {
	        .n_workers = 2,
	        .n_mbufs = 4095,
	        .vector = 32,
	        .hold_packets = 4,
	        .verify_l2tp_checksum = true,
	};
	struct fuzz *f = fuzz();

	for (int i = 0; i < DP_PUNT_MAX; i++)
		conf.punt_rate[i] = 1000000000;
	conf.new_tunnel_source_rate = 1000000000;
	setenv("XDG_RUNTIME_DIR", "/tmp", 0);
	must(rte_eal_init((int)RTE_DIM(args), args) >= 0, "EAL");
	/* Frames have their own pool: what the data plane allocates is not poisoned. */
	f->pool = rte_pktmbuf_pool_create("frames", 8191, 0, sizeof(struct pkt_meta),
	                                  RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	must(f->pool != NULL, "pool");
	for (uint16_t p = 0; p < PORTS; p++)
		port_make(f, p);
	f->dp = dp_new(&conf, NULL);
	must(f->dp != NULL, "dp_new");
	net_make(f->dp);
}

/* ---- frames ---- */

struct frame {
	uint16_t len;
	uint8_t b[FRAME_MAX + 200];
};

static void put16(struct frame *f, uint16_t v)
{
	put_be16(f->b + f->len, v);
	f->len += 2;
}

static void eth(struct frame *f, uint8_t op)
{
	const uint8_t macs[12] = {2, 0, 0, 0, 0, op & FLAG_CORE ? 2 : 1, 2};

	memcpy(f->b, macs, sizeof(macs));
	f->len = sizeof(macs);
	if (op & FLAG_VLAN) {
		put16(f, 0x8100);
		put16(f, 100);
	}
	put16(f, 0x0800);
}

/* A right header for a packet of which n bytes will follow. */
static void ip4(struct frame *f, uint32_t src, uint32_t dst, uint8_t proto, uint16_t frag,
                uint16_t n)
{
	struct rte_ipv4_hdr ip = {
	        .version_ihl = RTE_IPV4_VHL_DEF,
	        .total_length = rte_cpu_to_be_16((uint16_t)(20 + n)),
	        .fragment_offset = rte_cpu_to_be_16(frag),
	        .time_to_live = 64,
	        .next_proto_id = proto,
	        .src_addr = rte_cpu_to_be_32(src),
	        .dst_addr = rte_cpu_to_be_32(dst),
	};

	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	memcpy(f->b + f->len, &ip, sizeof(ip));
	f->len += sizeof(ip);
}

/* A frame into a port's queue; what lies behind it in its buffer is poisoned, unless it is to be used. */
static void deliver(struct fuzz *fz, const struct frame *f, uint8_t op, bool poison)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(fz->pool);
	uint8_t *at;

	if (m == NULL)
		return;
	ASAN_UNPOISON_MEMORY_REGION(m->buf_addr, m->buf_len);
	at = (uint8_t *)rte_pktmbuf_append(m, f->len);
	memcpy(at, f->b, f->len);
	if (poison)
		ASAN_POISON_MEMORY_REGION(at + f->len, rte_pktmbuf_tailroom(m));
	must(rte_ring_sp_enqueue(fz->rx[op & FLAG_CORE ? 1 : 0][op & FLAG_QUEUE ? 1 : 0], m) == 0,
	     "rx ring");
}

/* ---- what comes out ---- */

static void punt(void *ctx, const struct dp_punt *p)
{
	struct fuzz *f = ctx;

	if (p->len > 0)
		must(__asan_region_is_poisoned((void *)p->data, p->len) == NULL, "punt");
	if (p->class == DP_PUNT_NEIGH)
		dp_neigh_set(f->dp, p->ifidx, p->next_hop, NULL);
}

static void turn(struct fuzz *f)
{
	struct rte_mbuf *m;
	uint32_t n;

	do {
		n = 0;
		for (uint16_t w = 0; w < QUEUES; w++)
			n += dp_worker_poll(f->dp, w);
		n += dp_punt_poll(f->dp, punt, f, 256);
		for (int i = 0; i < PORTS * QUEUES; i++) {
			while (rte_ring_sc_dequeue(f->tx[i / 2][i % 2], (void **)&m) == 0) {
				must(m->nb_segs == 1 && m->data_len <= 1518, "frame out");
				rte_pktmbuf_free(m);
			}
		}
	} while (n > 0);
}

static void law(struct dp *dp)
{
	struct dp_stats s;
	uint64_t drops = 0;

	dp_stats_get(dp, -1, &s);
	for (int i = 0; i < DP_DROP_MAX; i++)
		drops += s.drop[i];
	must(s.rx + s.injected + s.fragments_made ==
	             s.tx + s.punts + drops + s.fragments_merged + s.held,
	     "a packet is not accounted for");
}
