/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "dataplane/rig.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>

static const uint8_t lac_mac[6] = {0x02, 0xaa, 0, 0, 0, 0x10};
static const uint8_t lac_vlan_mac[6] = {0x02, 0xaa, 0, 0, 0, 0x11};
static const uint8_t gw_mac[6] = {0x02, 0xcc, 0, 0, 0, 0xfe};

struct rig *rig(void)
{
	static struct rig r;

	return &r;
}

/* ---- EAL and ports ---- */

static int port_make(struct rig *r, uint16_t port)
{
	struct rte_eth_conf conf = {0};
	char name[32];

	for (int q = 0; q < 2; q++) {
		snprintf(name, sizeof(name), "rx%u.%d", port, q);
		r->rx[port][q] = rte_ring_create(name, 4096, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
		snprintf(name, sizeof(name), "tx%u.%d", port, q);
		r->tx[port][q] = rte_ring_create(name, 1024, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (r->rx[port][q] == NULL || r->tx[port][q] == NULL)
			return -1;
	}
	snprintf(name, sizeof(name), "rig%u", port);
	return rte_eth_from_rings(name, r->rx[port], 2, r->tx[port], 2, 0) == port &&
	                       rte_eth_dev_configure(port, 2, 2, &conf) == 0
	               ? 0
	               : -1;
}

static int port_up(uint16_t port, struct rte_mempool *pool)
{
	for (uint16_t q = 0; q < 2; q++) {
		if (rte_eth_rx_queue_setup(port, q, 64, 0, NULL, pool) != 0 ||
		    rte_eth_tx_queue_setup(port, q, 64, 0, NULL) != 0)
			return -1;
	}
	return rte_eth_dev_start(port);
}

int rig_start(void)
{
	char *argv[] = {"test",           "--no-huge",   "-m", "256", "--no-pci",
	                "--no-telemetry", "--no-shconf", "-l", "0",   "--log-level=error"};
	struct rte_mempool *pool;

	setenv("XDG_RUNTIME_DIR", "/tmp", 0);
	if (rte_eal_init((int)RTE_DIM(argv), argv) < 0)
		return -1;
	/* Queue set-up wants a pool, which rings never use: frames come with their buffers. */
	pool = rte_pktmbuf_pool_create("unused", 63, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	for (uint16_t p = 0; p < RIG_PORTS; p++) {
		if (pool == NULL || port_make(rig(), p) != 0 || port_up(p, pool) != 0)
			return -1;
	}
	return 0;
}

/* ---- a data plane ---- */

struct dp_conf rig_conf(void)
{
	return (struct dp_conf){
	        .n_workers = rig()->n_workers,
	        .n_mbufs = 4095,
	        .vector = 32,
	        .hold_packets = 4,
	        .verify_l2tp_checksum = true,
	};
}

static void net_up(struct dp *dp)
{
	const struct dp_if_conf ifs[] = {
	        {.port_id = 0, .mac = {2, 0, 0, 0, 0, 1}, .mtu = 1500, .name = "lac"},
	        {.port_id = 0, .vlan = 100, .mac = {2, 0, 0, 0, 0, 1}, .mtu = 1500},
	        {.port_id = 1, .mac = {2, 0, 0, 0, 0, 2}, .mtu = 1500, .name = "core"},
	};
	const struct dp_route routes[] = {
	        {LNS, 32, DP_RT_LOCAL, IF_LAC, 0},
	        {LNS, 24, DP_RT_CONNECTED, IF_LAC, 0},
	        {LNS_VLAN, 32, DP_RT_LOCAL, IF_LAC_VLAN, 0},
	        {LNS_VLAN, 24, DP_RT_CONNECTED, IF_LAC_VLAN, 0},
	        {CORE_US, 32, DP_RT_LOCAL, IF_CORE, 0},
	        {CORE_US, 24, DP_RT_CONNECTED, IF_CORE, 0},
	        {SUB, 16, DP_RT_SUBSCRIBER, 0, 0},
	        {BLACKHOLE, 15, DP_RT_BLACKHOLE, 0, 0},
	        {0, 0, DP_RT_VIA, IF_CORE, CORE_GW},
	};

	for (size_t i = 0; i < RTE_DIM(ifs); i++)
		CU_ASSERT_EQUAL_FATAL(dp_if_add(dp, &ifs[i]), (int)i);
	for (uint16_t p = 0; p < RIG_PORTS; p++)
		CU_ASSERT_EQUAL_FATAL(dp_port_add(dp, p, 2, 2), 0);
	for (size_t i = 0; i < RTE_DIM(routes); i++)
		CU_ASSERT_EQUAL_FATAL(dp_route_set(dp, &routes[i]), 0);
	CU_ASSERT_EQUAL_FATAL(dp_pool_add(dp, IP(10, 64, 0, 1), 254), 0);
	CU_ASSERT_EQUAL_FATAL(dp_neigh_set(dp, IF_LAC, LAC, lac_mac), 0);
	CU_ASSERT_EQUAL_FATAL(dp_neigh_set(dp, IF_LAC_VLAN, LAC_VLAN, lac_vlan_mac), 0);
	CU_ASSERT_EQUAL_FATAL(dp_neigh_set(dp, IF_CORE, CORE_GW, gw_mac), 0);
}

void rig_open(const struct dp_conf *conf)
{
	struct rig *r = rig();
	struct dp_conf usual = rig_conf();

	r->dp = dp_new(conf != NULL ? conf : &usual, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r->dp);
	net_up(r->dp);
	rig_turn();
	rig_clear();
	rig_mark();
}

void rig_close(void)
{
	struct rig *r = rig();
	struct dp_stats s;

	rig_turn();
	rig_law();
	dp_stats_get(r->dp, -1, &s);
	for (int i = 0; i < DP_DROP_MAX; i++)
		r->dropped[i] += s.drop[i];
	CU_ASSERT_EQUAL(s.drop[DP_DROP_NONE], 0);
	rig_clear();
	dp_free(r->dp);
	r->dp = NULL;
}

const struct dp_session *rig_session(void)
{
	static struct dp_session s;

	s = (struct dp_session){
	        .session_id = SID,
	        .tunnel_id = TID,
	        .peer_session_id = PEER_SID,
	        .peer_tunnel_id = PEER_TID,
	        .gen = GEN,
	        .worker = rig()->owner,
	        .local = {ipaddr_v4(LNS), 1701},
	        .peer = {ipaddr_v4(LAC), 1701},
	        .open = true,
	        .udp_checksum = true,
	        .mtu = 1460,
	        .peer_ip = SUB,
	};
	return &s;
}

void rig_add(const struct dp_session *s)
{
	CU_ASSERT_EQUAL_FATAL(dp_session_add(rig()->dp, s), 0);
	rig_turn();
}

void rig_update(const struct dp_session *s)
{
	CU_ASSERT_EQUAL_FATAL(dp_session_update(rig()->dp, s), 0);
	rig_turn();
}

/* ---- frames in and out ---- */

void rig_put_mbuf(uint16_t port, uint16_t queue, struct rte_mbuf *m)
{
	CU_ASSERT_EQUAL_FATAL(rte_ring_sp_enqueue(rig()->rx[port][queue], m), 0);
}

void rig_put(uint16_t port, uint16_t queue, const struct bytes *d)
{
	struct rte_mbuf *m = dp_alloc(rig()->dp, d->len);

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	memcpy(rte_pktmbuf_append(m, (uint16_t)d->len), d->b, d->len);
	rig_put_mbuf(port, queue, m);
}

static void punt_take(void *ctx, const struct dp_punt *p)
{
	struct rig *r = ctx;
	struct rig_punt *t = &r->punts[r->n_punts];

	if (r->n_punts == RIG_FRAMES)
		return;
	r->n_punts++;
	t->p = *p;
	t->d.len = p->len;
	if (p->len > 0)
		memcpy(t->d.b, p->data, p->len);
	t->p.data = t->d.b;
}

static void frames_take(struct rig *r, uint16_t port, struct rte_ring *ring)
{
	struct rte_mbuf *m;

	while (rte_ring_sc_dequeue(ring, (void **)&m) == 0) {
		if (r->n_frames < RIG_FRAMES) {
			struct rig_frame *f = &r->frames[r->n_frames++];

			CU_ASSERT_EQUAL(m->nb_segs, 1);
			f->port = port;
			f->d.len = m->data_len;
			memcpy(f->d.b, rte_pktmbuf_mtod(m, void *), m->data_len);
		}
		rte_pktmbuf_free(m);
	}
}

void rig_poll(void)
{
	struct rig *r = rig();
	uint32_t n;

	do {
		n = 0;
		for (uint16_t w = 0; w < r->n_workers; w++)
			n += dp_worker_poll(r->dp, w);
	} while (n > 0);
	for (uint16_t p = 0; p < RIG_PORTS; p++) {
		frames_take(r, p, r->tx[p][0]);
		frames_take(r, p, r->tx[p][1]);
	}
}

void rig_turn(void)
{
	rig_poll();
	while (dp_punt_poll(rig()->dp, punt_take, rig(), 64) > 0)
		;
}

void rig_clear(void)
{
	rig()->n_frames = 0;
	rig()->n_punts = 0;
}

void rig_mark(void)
{
	dp_stats_get(rig()->dp, -1, &rig()->before);
}

uint64_t rig_drops(enum dp_drop d)
{
	struct dp_stats s;

	dp_stats_get(rig()->dp, -1, &s);
	return s.drop[d] - rig()->before.drop[d];
}

void rig_law(void)
{
	struct dp_stats s;
	uint64_t drops = 0, punts = 0;

	dp_stats_get(rig()->dp, -1, &s);
	for (int i = 0; i < DP_DROP_MAX; i++)
		drops += s.drop[i];
	for (int i = 0; i < DP_PUNT_MAX; i++)
		punts += i == DP_PUNT_NEIGH || i == DP_PUNT_SA ? 0 : s.punt[i];
	CU_ASSERT_EQUAL(s.punts, punts);
	CU_ASSERT_EQUAL(s.rx + s.injected + s.fragments_made,
	                s.tx + s.punts + drops + s.fragments_merged + s.held);
}

void rig_wait_ms(uint32_t ms)
{
	usleep(ms * 1000);
}

uint64_t rig_ms(void)
{
	return rte_rdtsc() / (rte_get_tsc_hz() / 1000);
}
