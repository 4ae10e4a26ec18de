/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Links, routes, neighbours, fragments to us: everything that is not a session's business. */
#include "dataplane/rig.h"

#include <string.h>

#define N_ROWS(t) (sizeof(t) / sizeof((t)[0]))
#define DF        0x4000
#define MF        0x2000

static const uint8_t host_mac[6] = {2, 0xdd, 0, 0, 0, 0x77};

static void send_ip(uint16_t ifidx, const struct ipspec *s)
{
	struct bytes frame = {0};

	eth_ip4(&frame, ifidx, s);
	rig_put(rig()->dp->ifs[ifidx].conf.port_id, 0, &frame);
	rig_turn();
}

static void one_drop(const struct bytes *frame, enum dp_drop reason)
{
	rig_mark();
	rig_put(0, 0, frame);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(reason), 1);
	CU_ASSERT_EQUAL(rig()->n_frames + rig()->n_punts, 0);
	rig_law();
}

/* ---- frames ---- */

static void test_bad_frames(void)
{
	static const struct {
		enum dp_drop reason;
		const char *frame;
	} rows[] = {
	        {DP_DROP_ETH_SHORT, "00"},
	        {DP_DROP_ETH_SHORT, "020000000001 02ee00000009 08"},
	        {DP_DROP_ETH_SHORT, "020000000001 02ee00000009 8100 0064 08"},
	        {DP_DROP_ETH_VLAN_UNKNOWN, "020000000001 02ee00000009 8100 0065 0800 4500"},
	        {DP_DROP_ETH_NOT_OURS, "020000000003 02ee00000009 0800 4500"},
	        {DP_DROP_IP4_SHORT, "020000000001 02ee00000009 0800"},
	        {DP_DROP_IP4_SHORT, "020000000001 02ee00000009 8100 0064 0800 4500 0014"},
	        {DP_DROP_IP4_HEADER,
	         "020000000001 02ee00000009 0800 6500 0014 0000 0000 4011 0000 08080808 c0000201"},
	        {DP_DROP_IP4_HEADER,
	         "020000000001 02ee00000009 0800 4400 0014 0000 0000 4011 0000 08080808 c0000201"},
	        {DP_DROP_IP4_LENGTH,
	         "020000000001 02ee00000009 0800 4500 0015 0000 0000 4011 0000 08080808 c0000201"},
	        {DP_DROP_IP4_LENGTH,
	         "020000000001 02ee00000009 0800 4f00 0014 0000 0000 4011 0000 08080808 c0000201"},
	        {DP_DROP_IP4_CHECKSUM,
	         "020000000001 02ee00000009 0800 4500 0014 0000 0000 4011 0000 08080808 c0000201"},
	};
	const struct {
		uint32_t src, dst;
	} martians[] = {
	        {IP(127, 0, 0, 1), LNS},       {IP(224, 0, 0, 1), WORLD}, {0, LNS},
	        {IP(255, 255, 255, 255), LNS}, {WORLD, IP(127, 0, 0, 1)}, {WORLD, IP(224, 0, 0, 9)},
	        {WORLD, UINT32_MAX},
	};
	struct bytes frame = {0};

	rig_open(NULL);
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		hex_make(&frame, rows[i].frame);
		one_drop(&frame, rows[i].reason);
	}
	for (size_t i = 0; i < N_ROWS(martians); i++) {
		eth_ip4(&frame, IF_LAC,
		        &(struct ipspec){
		                .src = martians[i].src, .dst = martians[i].dst, .payload = 8});
		one_drop(&frame, DP_DROP_IP4_MARTIAN);
	}
	eth_ip4(&frame, IF_LAC,
	        &(struct ipspec){
	                .src = LAC, .dst = LNS, .payload = 4, .bytes = (const uint8_t *)"\0\0\0"});
	one_drop(&frame, DP_DROP_UDP_LENGTH);
	rig_close();
}

static void test_twin(void)
{
	static const struct {
		uint16_t ifidx;
		const char *frame, *want;
	} rows[] = {
	        {IF_LAC, "ffffffffffff 02ee00000009 0806 0001", NULL},
	        {IF_LAC, "020000000001 02ee00000009 0806 0002", NULL},
	        {IF_LAC, "020000000001 02ee00000009 86dd 6000", NULL},
	        {IF_LAC, "333300000001 02ee00000009 86dd 6000", NULL},
	        {IF_LAC, "01005e000005 02ee00000009 0800 45c0", NULL},
	        {IF_LAC, "0180c200000e 02ee00000009 88cc 0207", NULL},
	        {IF_LAC, "020000000001 02ee00000009 8100 0000 0806 0001",
	         "020000000001 02ee00000009 0806 0001"},
	        {IF_LAC_VLAN, "ffffffffffff 02ee00000009 8100 2064 0806 0001",
	         "ffffffffffff 02ee00000009 0806 0001"},
	        {IF_LAC_VLAN, "020000000001 02ee00000009 8100 0064 86dd 60",
	         "020000000001 02ee00000009 86dd 60"},
	};
	struct bytes frame = {0}, want = {0};

	rig_open(NULL);
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		const struct rig_punt *t = &rig()->punts[0];

		hex_make(&frame, rows[i].frame);
		hex_make(&want, rows[i].want != NULL ? rows[i].want : rows[i].frame);
		rig_put(0, 0, &frame);
		rig_turn();
		CU_ASSERT_EQUAL_FATAL(rig()->n_punts, 1);
		CU_ASSERT_EQUAL(t->p.class, DP_PUNT_TWIN);
		CU_ASSERT_EQUAL(t->p.ifidx, rows[i].ifidx);
		CU_ASSERT_EQUAL_FATAL(t->d.len, want.len);
		CU_ASSERT_EQUAL(memcmp(t->d.b, want.b, want.len), 0);
		rig_clear();
	}
	rig_close();
}

/* What is for us, but not L2TP. */
static void test_twin_ip(void)
{
	const struct ipspec rows[] = {
	        {.src = LAC, .dst = LNS, .proto = 1, .payload = 30},
	        {.src = LAC, .dst = LNS, .proto = 6, .payload = 30, .frag = MF},
	        {.src = LAC, .dst = LNS, .proto = 17, .payload = 30},
	        {.src = LAC, .dst = CORE_US, .proto = 89, .payload = 30},
	        {.src = LAC,
	         .dst = LNS,
	         .proto = 51,
	         .payload = 30,
	         .n_options = 4,
	         .options = (const uint8_t *)"\x94\x04\0\0"},
	};
	struct bytes frame;

	rig_open(NULL);
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		send_ip(IF_LAC, &rows[i]);
		eth_ip4(&frame, IF_LAC, &rows[i]);
		CU_ASSERT_EQUAL_FATAL(rig()->n_punts, 1);
		CU_ASSERT_EQUAL(rig()->punts[0].p.class, DP_PUNT_TWIN);
		CU_ASSERT_EQUAL(rig()->punts[0].d.len, frame.len);
		CU_ASSERT_EQUAL(memcmp(rig()->punts[0].d.b, frame.b, frame.len), 0);
		rig_clear();
	}
	rig_close();
}

static void test_stripped_tag(void)
{
	struct bytes frame;
	struct rte_mbuf *m;

	rig_open(NULL);
	hex_make(&frame, "ffffffffffff 02ee00000009 0806 0001");
	m = dp_alloc(rig()->dp, frame.len);
	memcpy(rte_pktmbuf_append(m, (uint16_t)frame.len), frame.b, frame.len);
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 0xe064;
	rig_put_mbuf(0, 0, m);
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_punts, 1);
	CU_ASSERT_EQUAL(rig()->punts[0].p.ifidx, IF_LAC_VLAN);
	CU_ASSERT_EQUAL(rig()->punts[0].d.len, frame.len);
	rig_close();
}

/* A port that gives a frame in several buffers. */
static void test_segments(void)
{
	struct bytes frame;
	struct rte_mbuf *a, *b, *all[1024];
	unsigned n = 0;

	rig_open(NULL);
	rig_add(rig_session());
	eth_ip4(&frame, IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 1000});
	for (int full = 0; full < 2; full++) {
		a = dp_alloc(rig()->dp, 1000);
		b = dp_alloc(rig()->dp, 1000);
		memcpy(rte_pktmbuf_append(a, 500), frame.b, 500);
		memcpy(rte_pktmbuf_append(b, (uint16_t)(frame.len - 500)), frame.b + 500,
		       frame.len - 500);
		CU_ASSERT_EQUAL(rte_pktmbuf_chain(a, b), 0);
		rig_put_mbuf(1, 0, a);
		rig_turn();
		CU_ASSERT_EQUAL(rig()->n_frames, full == 0 ? 1 : 0);
		CU_ASSERT_EQUAL(rig_drops(DP_DROP_RX_SEGMENTS), (uint64_t)full);
		rig_clear();
		/* The second time all large buffers are taken. */
		while (full == 0 && (all[n] = rte_pktmbuf_alloc(rig()->dp->large)) != NULL)
			n++;
	}
	rte_pktmbuf_free_bulk(all, n);
	rig_close();
}

/* ---- routes ---- */

static void test_transit(void)
{
	const struct rig_frame *f = &rig()->frames[0];
	const uint8_t rr[4] = {0x07, 3, 4, 1};

	rig_open(NULL);
	send_ip(IF_LAC, &(struct ipspec){.src = LAC, .dst = WORLD, .payload = 77, .frag = MF | 3});
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(f->port, 1);
	CU_ASSERT_EQUAL(f->d.b[14 + 8], 63);
	CU_ASSERT_TRUE(ip4_sum_right(f->d.b + 14));
	rig_clear();
	send_ip(IF_CORE, &(struct ipspec){.src = WORLD,
	                                  .dst = LAC_VLAN,
	                                  .payload = 77,
	                                  .n_options = 4,
	                                  .options = rr});
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(f->port, 0);
	CU_ASSERT_EQUAL(get_be16(f->d.b + 12), 0x8100);
	CU_ASSERT_TRUE(ip4_sum_right(f->d.b + 18));
	send_ip(IF_LAC, &(struct ipspec){.src = LAC, .dst = BLACKHOLE, .payload = 77});
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_IP4_BLACKHOLE), 1);
	rig_close();
}

/* RFC 1624 3: the sum that is -0 after the hop is written as a whole computation writes it. */
static void test_hop_checksum(void)
{
	struct bytes frame = {0}, want = {0};
	uint32_t id = 0;

	rig_open(NULL);
	do {
		frame.len = 0;
		eth_ip4(&frame, IF_LAC,
		        &(struct ipspec){
		                .src = LAC, .dst = WORLD, .id = (uint16_t)id, .payload = 8});
	} while (get_be16(frame.b + 14 + 10) != 0xfeff && ++id < 65536);
	CU_ASSERT_FATAL(id < 65536);
	rig_put(0, 0, &frame);
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	put(&want, rig()->frames[0].d.b, rig()->frames[0].d.len);
	ip4_fix(&want, 14);
	CU_ASSERT_EQUAL(get_be16(want.b + 14 + 10), 0);
	CU_ASSERT_EQUAL(memcmp(rig()->frames[0].d.b, want.b, want.len), 0);
	rig_close();
}

static void icmp_punt(enum dp_icmp_error error, uint16_t mtu, uint16_t ifidx)
{
	const struct rig_punt *t = &rig()->punts[0];

	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_EQUAL_FATAL(rig()->n_punts, 1);
	CU_ASSERT_EQUAL(t->p.class, DP_PUNT_ICMP);
	CU_ASSERT_EQUAL(t->p.icmp, error);
	CU_ASSERT_EQUAL(t->p.mtu, mtu);
	CU_ASSERT_EQUAL(t->p.ifidx, ifidx);
	CU_ASSERT_EQUAL(t->d.b[0] >> 4, 4);
	CU_ASSERT_EQUAL(t->d.len, get_be16(t->d.b + 2));
	CU_ASSERT_TRUE(ip4_sum_right(t->d.b));
	rig_clear();
}

static void test_icmp(void)
{
	struct bytes packet = {0}, body = {0}, frame;

	rig_open(NULL);
	rig_add(rig_session());
	for (uint8_t ttl = 1; ttl < 3; ttl++) {
		send_ip(IF_LAC,
		        &(struct ipspec){.src = LAC, .dst = WORLD, .payload = 8, .ttl = ttl});
		if (ttl == 1)
			icmp_punt(DP_ICMP_TTL, 0, IF_LAC);
	}
	CU_ASSERT_EQUAL(rig()->n_frames, 1);
	rig_clear();
	send_ip(IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 8, .ttl = 1});
	icmp_punt(DP_ICMP_TTL, 0, IF_CORE);
	/* From a subscriber: control must know into which session the answer goes. */
	ip4_make(&packet, &(struct ipspec){.src = SUB, .dst = WORLD, .ttl = 1, .payload = 4});
	ppp_make(&body, "21", &packet);
	l2tp_make(&frame, &(struct l2tpspec){.flags = 2, .body = &body});
	rig_put(0, 0, &frame);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->punts[0].p.session_id, SID);
	CU_ASSERT_EQUAL(rig()->punts[0].p.gen, GEN);
	icmp_punt(DP_ICMP_TTL, 0, IF_LAC);
	CU_ASSERT_EQUAL(dp_route_del(rig()->dp, 0, 0), 0);
	send_ip(IF_LAC, &(struct ipspec){.src = LAC, .dst = WORLD, .payload = 8});
	icmp_punt(DP_ICMP_UNREACHABLE, 0, IF_LAC);
	rig_close();
}

/* Over their rate the same packets are drops, under the name of what is wrong with them. */
static void test_icmp_rates(void)
{
	struct dp_conf conf = rig_conf();
	struct bytes big = {0};

	conf.punt_rate[DP_PUNT_ICMP] = 1;
	rig_open(&conf);
	rig_add(rig_session());
	for (int i = 0; i < 3; i++) {
		send_ip(IF_LAC, &(struct ipspec){.src = LAC, .dst = WORLD, .payload = 8, .ttl = 1});
	}
	CU_ASSERT_EQUAL(rig()->n_punts, 1);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_IP4_TTL), 2);
	/* The owner's worker has its own rate: use it up too. */
	for (int i = 0; i < 3; i++) {
		send_ip(IF_CORE,
		        &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 1450, .frag = DF});
	}
	CU_ASSERT_TRUE(rig_drops(DP_DROP_IP4_TOO_BIG) >= 2);
	send_ip(IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB_FREE, .payload = 8});
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_IP4_NO_SUBSCRIBER), 1);
	CU_ASSERT_EQUAL(dp_route_del(rig()->dp, 0, 0), 0);
	send_ip(IF_LAC, &(struct ipspec){.src = LAC, .dst = WORLD, .payload = 8});
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_IP4_NO_ROUTE), 1);
	(void)big;
	rig_close();
}

static void test_transit_mtu(void)
{
	const struct dp_if_conf small = {
	        .port_id = 1, .vlan = 7, .mac = {2, 0, 0, 0, 0, 2}, .mtu = 600};
	const struct dp_route r = {IP(100, 0, 0, 0), 8, DP_RT_VIA, 3, IP(10, 9, 9, 9)};

	rig_open(NULL);
	CU_ASSERT_EQUAL_FATAL(dp_if_add(rig()->dp, &small), 3);
	CU_ASSERT_EQUAL(dp_route_set(rig()->dp, &r), 0);
	CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, 3, IP(10, 9, 9, 9), host_mac), 0);
	rig_turn();
	send_ip(IF_LAC,
	        &(struct ipspec){.src = LAC, .dst = IP(100, 1, 1, 1), .payload = 581, .frag = DF});
	icmp_punt(DP_ICMP_TOO_BIG, 600, IF_LAC);
	send_ip(IF_LAC, &(struct ipspec){.src = LAC, .dst = IP(100, 1, 1, 1), .payload = 580});
	CU_ASSERT_EQUAL(rig()->n_frames, 1);
	rig_clear();
	send_ip(IF_LAC, &(struct ipspec){.src = LAC, .dst = IP(100, 1, 1, 1), .payload = 1200});
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 3);
	CU_ASSERT_EQUAL(get_be16(rig()->frames[0].d.b + 14), 7);
	CU_ASSERT_EQUAL(get_be16(rig()->frames[2].d.b + 18 + 6), 2 * 576 / 8);
	rig_close();
}

static void test_routes_change(void)
{
	struct dp *dp;
	struct dp_route r = {IP(8, 8, 8, 0), 24, DP_RT_BLACKHOLE, 0, 0};
	const struct ipspec p = {.src = LAC, .dst = WORLD, .payload = 8};
	uint32_t n;

	rig_open(NULL);
	dp = rig()->dp;
	n = dp_route_count(dp);
	CU_ASSERT_EQUAL(dp_route_set(dp, &r), 0);
	CU_ASSERT_EQUAL(dp_route_count(dp), n + 1);
	send_ip(IF_LAC, &p);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_IP4_BLACKHOLE), 1);
	/* Replaced many times: next hops that no route names are used again. */
	for (uint32_t i = 0; i < 3 * NH_MAX; i++) {
		r.kind = DP_RT_VIA;
		r.ifidx = IF_CORE;
		r.gateway = IP(203, 0, 113, 0) + i % 65000;
		CU_ASSERT_EQUAL_FATAL(dp_route_set(dp, &r), 0);
		rig_poll();
	}
	CU_ASSERT_EQUAL(dp_route_count(dp), n + 1);
	r.gateway = CORE_GW;
	CU_ASSERT_EQUAL(dp_route_set(dp, &r), 0);
	send_ip(IF_LAC, &p);
	CU_ASSERT_EQUAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(dp_route_del(dp, IP(8, 8, 8, 0), 24), 0);
	CU_ASSERT_EQUAL(dp_route_del(dp, IP(8, 8, 8, 0), 24), -ENOENT);
	CU_ASSERT_EQUAL(dp_route_count(dp), n);
	r.len = 33;
	CU_ASSERT_EQUAL(dp_route_set(dp, &r), -EINVAL);
	CU_ASSERT_EQUAL(dp_route_del(dp, 0, 33), -EINVAL);
	r = (struct dp_route){0, 8, DP_RT_VIA, 99, 1};
	CU_ASSERT_EQUAL(dp_route_set(dp, &r), -ENODEV);
	dp_tick(dp, 0);
	rig_close();
}

/* ---- neighbours ---- */

static uint32_t neigh_punts(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < rig()->n_punts; i++)
		n += rig()->punts[i].p.class == DP_PUNT_NEIGH;
	return n;
}

static uint64_t held(void)
{
	struct dp_stats s;

	dp_stats_get(rig()->dp, -1, &s);
	return s.held;
}

static void test_hold_and_resolve(void)
{
	const struct rig_punt *t = &rig()->punts[0];

	rig_open(NULL);
	for (uint16_t i = 0; i < 6; i++)
		send_ip(IF_LAC, &(struct ipspec){.src = LAC, .dst = CORE_HOST, .payload = i});
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_EQUAL(held(), 4);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_HOLD_FULL), 2);
	CU_ASSERT_EQUAL_FATAL(rig()->n_punts, 1); /* asked once */
	CU_ASSERT_EQUAL(t->p.class, DP_PUNT_NEIGH);
	CU_ASSERT_EQUAL(t->p.ifidx, IF_CORE);
	CU_ASSERT_EQUAL(t->p.next_hop, CORE_HOST);
	CU_ASSERT_EQUAL(t->p.len, 0);
	rig_law();
	CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, IF_CORE, CORE_HOST, host_mac), 0);
	rig_turn();
	CU_ASSERT_EQUAL(held(), 0);
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 4);
	for (uint16_t i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(memcmp(rig()->frames[i].d.b, host_mac, 6), 0);
		CU_ASSERT_EQUAL(rig()->frames[i].d.len, 34 + i);
	}
	rig_clear();
	send_ip(IF_LAC, &(struct ipspec){.src = LAC, .dst = CORE_HOST, .payload = 9});
	CU_ASSERT_EQUAL(rig()->n_frames, 1);
	/* It goes away, and comes to nothing. */
	CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, IF_CORE, CORE_HOST, NULL), 0);
	rig_turn();
	rig_clear();
	send_ip(IF_LAC, &(struct ipspec){.src = LAC, .dst = CORE_HOST, .payload = 9});
	CU_ASSERT_EQUAL(neigh_punts(), 1);
	CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, IF_CORE, CORE_HOST, NULL), 0);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_NEIGH_FAILED), 1);
	CU_ASSERT_EQUAL(held(), 0);
	CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, 99, CORE_HOST, NULL), -ENODEV);
	rig_close();
}

/* The gateway of a route, and the peer of a tunnel, are neighbours as well. */
static void test_hold_gateway(void)
{
	rig_open(NULL);
	rig_add(rig_session());
	CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, IF_CORE, CORE_GW, NULL), 0);
	CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, IF_LAC, LAC, NULL), 0);
	rig_turn();
	send_ip(IF_LAC, &(struct ipspec){.src = LAC, .dst = WORLD, .payload = 9});
	send_ip(IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 9});
	CU_ASSERT_EQUAL(neigh_punts(), 2);
	CU_ASSERT_EQUAL(held(), 2);
	CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, IF_CORE, CORE_GW, host_mac), 0);
	CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, IF_LAC, LAC, host_mac), 0);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 2);
	rig_close();
}

/* Time passes once for all that time does: the next hop's and the fragments' end. */
static void test_timeouts(void)
{
	struct bytes frame;

	rig_open(NULL);
	send_ip(IF_LAC, &(struct ipspec){.src = LAC, .dst = CORE_HOST, .payload = 9});
	eth_ip4(&frame, IF_LAC,
	        &(struct ipspec){.src = LAC, .dst = LNS, .payload = 64, .frag = MF, .id = 1});
	rig_put(0, 0, &frame);
	rig_turn();
	CU_ASSERT_EQUAL(held(), 2);
	CU_ASSERT_EQUAL(neigh_punts(), 1);
	rig_wait_ms(1100);
	rig_turn();
	CU_ASSERT_TRUE(neigh_punts() >= 2); /* asked again */
	rig_wait_ms(2100);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_NEIGH_TIMEOUT), 1);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_REASS_TIMEOUT), 1);
	CU_ASSERT_EQUAL(held(), 0);
	rig_close();
}

/* A scan of a connected network: every set of the table fills. */
static void test_hold_table_full(void)
{
	struct dp_route wide = {IP(100, 64, 0, 0), 10, DP_RT_CONNECTED, IF_CORE, 0};

	rig_open(NULL);
	CU_ASSERT_EQUAL(dp_route_set(rig()->dp, &wide), 0);
	for (uint32_t i = 0; i < 1000; i++) {
		send_ip(IF_LAC,
		        &(struct ipspec){.src = LAC, .dst = IP(100, 64, 0, 0) + i, .payload = 9});
	}
	CU_ASSERT_TRUE(held() <= HOLD_SETS * HOLD_WAYS);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_HOLD_FULL) + held(), 1000);
	rig_close();
}

/* ---- ports ---- */

static void test_tx_full(void)
{
	struct bytes frame;

	rig_open(NULL);
	eth_ip4(&frame, IF_LAC, &(struct ipspec){.src = LAC, .dst = WORLD, .payload = 8});
	for (int i = 0; i < 1200; i++)
		rig_put(0, 0, &frame);
	rig_turn();
	/* The ring takes 1,023 frames, of which the rig keeps some. */
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_TX_FULL), 1200 - 1023);
	rig_close();
}

static void test_ifs(void)
{
	struct dp_if_conf c = {.port_id = 0, .vlan = 100, .mtu = 1500};
	struct dp *dp;

	rig_open(NULL);
	dp = rig()->dp;
	CU_ASSERT_EQUAL(dp_if_add(dp, &c), -EEXIST);
	c.vlan = 4095;
	CU_ASSERT_EQUAL(dp_if_add(dp, &c), -EINVAL);
	c.vlan = 5;
	c.mtu = 500;
	CU_ASSERT_EQUAL(dp_if_add(dp, &c), -EINVAL);
	c.mtu = 1500;
	for (int i = 3; i < DP_MAX_IFS; i++) {
		c.vlan = (uint16_t)(1000 + i);
		CU_ASSERT_EQUAL(dp_if_add(dp, &c), i);
	}
	c.vlan = 6;
	CU_ASSERT_EQUAL(dp_if_add(dp, &c), -ENOSPC);
	CU_ASSERT_EQUAL(dp_port_add(dp, 0, 1, 2), -EEXIST);
	CU_ASSERT_EQUAL(dp_port_add(dp, 5, 0, 2), -EINVAL);
	CU_ASSERT_EQUAL(dp_port_add(dp, 5, 1, 0), -EINVAL);
	CU_ASSERT_EQUAL(dp_port_add(dp, 99, 1, 2), -EINVAL);
	CU_ASSERT_EQUAL(dp_pool_add(dp, 1, 0), -EINVAL);
	CU_ASSERT_EQUAL(dp_pool_add(dp, UINT32_MAX, 2), -EINVAL);
	rig_close();
}

static CU_TestInfo tests[] = {
        {"bad frames", test_bad_frames},
        {"frames for the twin", test_twin},
        {"packets for the twin", test_twin_ip},
        {"tag stripped by the port", test_stripped_tag},
        {"several buffers", test_segments},
        {"transit", test_transit},
        {"checksum of a header that has lost a hop", test_hop_checksum},
        {"ICMP errors", test_icmp},
        {"ICMP rates", test_icmp_rates},
        {"MTU of a link", test_transit_mtu},
        {"routes change", test_routes_change},
        {"hold and resolve", test_hold_and_resolve},
        {"hold for a gateway", test_hold_gateway},
        {"timeouts", test_timeouts},
        {"hold table full", test_hold_table_full},
        {"transmit queue full", test_tx_full},
        {"interfaces and ports", test_ifs},
        CU_TEST_INFO_NULL,
};

CU_TestInfo *path_tests(void)
{
	return tests;
}
