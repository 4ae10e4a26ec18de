/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * What the quick way downstream takes for granted: that no subscriber has an address of ours, that the routes'
 * table says the same where it has the same entry, and that frames stand where drivers put them.
 */
#include "dataplane/ip4.h"
#include "dataplane/ways.h"

#include <string.h>

#define OWN   IP(10, 64, 9, 9)
#define NET   IP(10, 64, 9, 0)
#define PEER2 IP(100, 66, 1, 7)
#define GW2   IP(198, 51, 100, 10) /* LAC_VLAN */

static const uint8_t gw2_mac[6] = {0x02, 0xbb, 0, 0, 0, 7};

static struct dp_session session_of(uint32_t sub)
{
	struct dp_session s = *rig_session();

	s.peer_ip = sub;
	return s;
}

/* n packets of WORLD's to dst, in one vector. */
static void send_to(const uint32_t *dst, int n)
{
	rig_clear();
	for (int i = 0; i < n; i++) {
		struct bytes frame = {0};

		eth_ip4(&frame, IF_CORE,
		        &(struct ipspec){.src = WORLD, .dst = dst[i], .payload = 20});
		rig_put(1, rig()->owner, &frame);
	}
	rig_turn();
}

/* A packet to ip goes into its session, by the LAC's port; or it is ours. */
static void expect(uint32_t ip, bool session)
{
	send_to(&ip, 1);
	CU_ASSERT_EQUAL(rig()->n_frames, session ? 1 : 0);
	CU_ASSERT_EQUAL(rig()->n_punts, session ? 0 : 1);
	if (!session && rig()->n_punts == 1)
		CU_ASSERT_EQUAL(rig()->punts[0].p.class, DP_PUNT_TWIN);
}

static void own(uint32_t prefix, uint8_t len)
{
	const struct dp_route r = {prefix, len, DP_RT_LOCAL, IF_CORE, 0};

	CU_ASSERT_EQUAL(dp_route_set(rig()->dp, &r), 0);
}

static void not_own(uint32_t prefix, uint8_t len)
{
	CU_ASSERT_EQUAL(dp_route_del(rig()->dp, prefix, len), 0);
}

/* Whichever was there first: in the array of a pool and in the hash. */
static void test_own_address(void)
{
	static const uint32_t ips[] = {OWN, FRAMED};

	for (size_t i = 0; i < RTE_DIM(ips); i++) {
		struct dp_session s = session_of(ips[i]), other = session_of(ips[i] + 1);
		const struct dp_route away = {ips[i], 32, DP_RT_BLACKHOLE, 0, 0};

		rig_open(NULL);
		rig_add(&s);
		expect(ips[i], true);
		own(ips[i], 32);
		expect(ips[i], false);
		not_own(ips[i], 32);
		expect(ips[i], true);
		own(ips[i], 32);
		CU_ASSERT_EQUAL(rig()->dp->n_hidden, 1);
		CU_ASSERT_EQUAL(dp_session_del(rig()->dp, SID, GEN, NULL), 0);
		rig_turn();
		CU_ASSERT_EQUAL(rig()->dp->n_hidden, 0);
		rig_add(&s);
		expect(ips[i], false);
		rig_update(&other);
		CU_ASSERT_EQUAL(rig()->dp->n_hidden, 0);
		expect(ips[i], false);
		expect(ips[i] + 1, true);
		rig_update(&s);
		expect(ips[i], false);
		/* Another kind of route in its place. */
		CU_ASSERT_EQUAL(dp_route_set(rig()->dp, &away), 0);
		CU_ASSERT_EQUAL(rig()->dp->n_hidden, 0);
		expect(ips[i], true);
		rig_close();
	}
}

/* A net of ours, and a way out of it for one address. */
static void test_own_net(void)
{
	const struct dp_route out = {OWN, 32, DP_RT_BLACKHOLE, 0, 0};
	struct dp_session s = session_of(OWN);

	rig_open(NULL);
	rig_add(&s);
	own(NET, 24);
	expect(OWN, false);
	CU_ASSERT_EQUAL(dp_route_set(rig()->dp, &out), 0);
	expect(OWN, true);
	not_own(OWN, 32);
	CU_ASSERT_EQUAL(rig()->dp->n_hidden, 1);
	expect(OWN, false);
	not_own(NET, 24);
	CU_ASSERT_EQUAL(rig()->dp->n_hidden, 0);
	CU_ASSERT_EQUAL(rig()->dp->n_local_nets, 0);
	expect(OWN, true);
	rig_close();
}

/* An address that no packet is forwarded to, and a neighbour of it in the same vector. */
static void test_martian(void)
{
	static const uint32_t ips[] = {IP(240, 0, 0, 1), IP(127, 0, 0, 2)};

	for (size_t i = 0; i < RTE_DIM(ips); i++) {
		struct dp_session s = session_of(ips[i]), right = session_of(SUB2);
		const uint32_t both[] = {SUB2, ips[i], SUB2};

		right.session_id = SID2;
		rig_open(NULL);
		rig_add(&s);
		rig_add(&right);
		send_to(both, 3);
		CU_ASSERT_EQUAL(rig()->n_frames, 2);
		CU_ASSERT_EQUAL(rig_drops(DP_DROP_IP4_MARTIAN), 1);
		rig_close();
	}
}

/* Where frame i of those that left went to: the last byte of its MAC address, and the VLAN's type. */
static uint8_t gone_to(uint32_t i)
{
	return i < rig()->n_frames ? rig()->frames[i].d.b[5] : 0;
}

/* Peers with different ways in one vector: by one entry of the table, by another one, by a longer prefix, on the link. */
static void test_ways_to_peers(void)
{
	static const struct {
		uint32_t peer;
		uint8_t mac;
	} peers[] = {{IP(100, 66, 1, 7), 7},
	             {IP(100, 66, 2, 7), 7},
	             {IP(100, 66, 3, 7), 0x10},
	             {IP(100, 66, 3, 9), 7},
	             {LAC, 0x10},
	             {LAC_VLAN, 7},
	             {IP(100, 66, 0xff, 1), 7},
	             {WORLD + 1, 0xfe}};
	const struct dp_route routes[] = {
	        {IP(100, 66, 0, 0), 16, DP_RT_VIA, IF_LAC_VLAN, GW2},
	        {IP(100, 66, 3, 7), 32, DP_RT_VIA, IF_LAC, LAC},
	};
	uint32_t dst[32];

	rig_open(NULL);
	CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, IF_LAC_VLAN, GW2, gw2_mac), 0);
	for (size_t i = 0; i < RTE_DIM(routes); i++)
		CU_ASSERT_EQUAL(dp_route_set(rig()->dp, &routes[i]), 0);
	for (size_t i = 0; i < RTE_DIM(peers); i++) {
		struct dp_session s = session_of(SUB + (uint32_t)i);

		s.session_id = (uint16_t)(SID + i);
		s.peer.addr = ipaddr_v4(peers[i].peer);
		rig_add(&s);
	}
	for (uint32_t i = 0; i < 32; i++)
		dst[i] = SUB + (i * 5 + i / 7) % RTE_DIM(peers);
	send_to(dst, 32);
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 32);
	for (size_t p = 0; p < RTE_DIM(peers); p++) {
		uint32_t want = 0, got = 0;

		for (uint32_t i = 0; i < 32; i++) {
			want += peers[dst[i] - SUB].mac == peers[p].mac;
			got += gone_to(i) == peers[p].mac;
		}
		CU_ASSERT_EQUAL(got, want);
	}
	rig_close();
}

/* ---- peers that are connected ---- */

/* Each is a station of its own; of the last one nothing is known at first. */
static const struct {
	uint16_t ifidx;
	uint32_t peer;
	uint8_t mac[6];
	uint16_t flags;
	bool sum;
} stations[] = {
        {IF_LAC, LAC, {2, 0xaa, 0, 0, 0, 0x10}, 2, false},
        {IF_LAC, LAC + 1, {2, 0xaa, 0, 0, 0, 0x20}, 2, true},
        {IF_LAC, LAC + 2, {2, 0xaa, 0, 0, 0, 0x30}, 0x4002, true},
        {IF_LAC_VLAN, LAC_VLAN, {2, 0xaa, 0, 0, 0, 0x11}, 2, false},
        {IF_LAC, LAC + 9, {2, 0xaa, 0, 0, 0, 0x90}, 2, true},
};
#define STATIONS RTE_DIM(stations)
#define UNKNOWN  (STATIONS - 1)

static void stations_up(void)
{
	for (uint32_t i = 0; i < STATIONS; i++) {
		struct dp_session s = session_of(SUB + i);

		s.session_id = (uint16_t)(SID + i);
		s.peer_session_id = (uint16_t)(PEER_SID + i);
		s.udp_checksum = stations[i].sum;
		s.length_bit = (stations[i].flags & 0x4000) != 0;
		s.peer.addr = ipaddr_v4(stations[i].peer);
		if (stations[i].ifidx == IF_LAC_VLAN)
			s.local.addr = ipaddr_v4(LNS_VLAN);
		rig_add(&s);
		if (i != UNKNOWN)
			CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, stations[i].ifidx, stations[i].peer,
			                             stations[i].mac),
			                0);
	}
	rig_turn();
}

/* Packet id of WORLD's to the subscriber behind station i, as it comes, or as it is in the session. */
static void inner_make(struct bytes *d, uint32_t i, uint16_t id, uint8_t ttl)
{
	ip4_make(d, &(struct ipspec){.src = WORLD,
	                             .dst = SUB + i,
	                             .id = id,
	                             .ttl = ttl,
	                             .payload = (uint16_t)(20 + id)});
}

/* Frame k of those that left is packet id to station i, in all its bytes; returns its outer id. */
static uint16_t check_frame(uint32_t k, uint32_t i, uint16_t id)
{
	const bool tag = stations[i].ifidx == IF_LAC_VLAN;
	const struct bytes *d = &rig()->frames[k].d;
	struct bytes packet = {0}, body = {0}, want = {0};
	const uint16_t outer_id = get_be16(d->b + (tag ? 22 : 18));

	inner_make(&packet, i, id, 63);
	ppp_make(&body, "ff030021", &packet);
	l2tp_make(&want, &(struct l2tpspec){.ifidx = stations[i].ifidx,
	                                    .src = tag ? LNS_VLAN : LNS,
	                                    .dst = stations[i].peer,
	                                    .flags = stations[i].flags,
	                                    .tid = PEER_TID,
	                                    .sid = (uint16_t)(PEER_SID + i),
	                                    .sum = stations[i].sum ? SUM_RIGHT : SUM_NONE,
	                                    .ip_id = outer_id,
	                                    .body = &body});
	memcpy(want.b + 6, want.b, 6);
	memcpy(want.b, stations[i].mac, 6);
	CU_ASSERT_EQUAL(rig()->frames[k].port, 0);
	CU_ASSERT_EQUAL_FATAL(d->len, want.len);
	CU_ASSERT_EQUAL(memcmp(d->b, want.b, want.len), 0);
	return outer_id;
}

/*
 * To one alone, to some by turns, and to one whose MAC address is not known in between. What is known leaves in the
 * order it came; the rest when it is known.
 */
static void stations_get(const uint8_t *to, uint16_t n, uint32_t waiting)
{
	uint32_t k = 0;
	int before = -1;

	rig_open(NULL);
	stations_up();
	rig_clear();
	for (uint16_t i = 0; i < n; i++) {
		struct bytes frame = {0};

		eth(&frame, IF_CORE, 0x0800);
		inner_make(&frame, to[i], i, 64);
		rig_put(1, rig()->owner, &frame);
	}
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, n - waiting);
	for (uint16_t i = 0; i < n; i++) {
		int outer_id;

		if (to[i] == UNKNOWN)
			continue;
		outer_id = check_frame(k++, to[i], i);
		CU_ASSERT_TRUE(outer_id > before);
		before = outer_id;
	}
	rig_clear();
	CU_ASSERT_EQUAL(
	        dp_neigh_set(rig()->dp, IF_LAC, stations[UNKNOWN].peer, stations[UNKNOWN].mac), 0);
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, waiting);
	k = 0;
	for (uint16_t i = 0; i < n; i++) {
		if (to[i] == UNKNOWN)
			check_frame(k++, to[i], i);
	}
	rig_close();
}

static void test_connected_peers(void)
{
	static const uint8_t one[] = {1, 1, 1, 1, 1, 1, 1, 1},
	                     runs[] = {0, 0, 0, 1, 1, 0, 2, 2, 2, 3, 3, 1, 1, 2, 0},
	                     turns[] = {0, 1, 2, 3, 0, 1, 2, 3, 3, 2, 1, 0},
	                     unknown[] = {0, 0, 1, 2, 4, 2, 2, 0, 4, 4, 3, 1, 1, 0},
	                     first[] = {4, 1, 1, 0, 2, 4, 2};

	stations_get(one, sizeof(one), 0);
	stations_get(runs, sizeof(runs), 0);
	stations_get(turns, sizeof(turns), 0);
	stations_get(unknown, sizeof(unknown), 3);
	stations_get(first, sizeof(first), 2);
}

/* ---- other short cuts ---- */

/* The peer's route between two vectors: another gateway, a longer prefix, none, and its gateway's address unknown. */
static void test_route_changes(void)
{
	const struct dp_route by_vlan = {PEER2, 16, DP_RT_VIA, IF_LAC_VLAN, GW2},
	                      by_lac = {PEER2, 16, DP_RT_VIA, IF_LAC, LAC},
	                      longer = {PEER2, 32, DP_RT_VIA, IF_LAC_VLAN, GW2},
	                      nowhere = {PEER2, 24, DP_RT_BLACKHOLE, 0, 0};
	const uint32_t dst[] = {SUB, SUB, SUB};
	struct dp_session s = session_of(SUB);

	s.peer.addr = ipaddr_v4(PEER2);
	rig_open(NULL);
	CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, IF_LAC_VLAN, GW2, gw2_mac), 0);
	rig_add(&s);
	send_to(dst, 3);
	CU_ASSERT_EQUAL(gone_to(2), 0xfe);
	CU_ASSERT_EQUAL(dp_route_set(rig()->dp, &by_vlan), 0);
	send_to(dst, 3);
	CU_ASSERT_EQUAL(gone_to(2), 7);
	CU_ASSERT_EQUAL(dp_route_set(rig()->dp, &by_lac), 0);
	send_to(dst, 3);
	CU_ASSERT_EQUAL(gone_to(2), 0x10);
	CU_ASSERT_EQUAL(dp_route_set(rig()->dp, &longer), 0);
	send_to(dst, 3);
	CU_ASSERT_EQUAL(gone_to(2), 7);
	CU_ASSERT_EQUAL(dp_route_del(rig()->dp, PEER2, 32), 0);
	send_to(dst, 3);
	CU_ASSERT_EQUAL(gone_to(2), 0x10);
	CU_ASSERT_EQUAL(dp_route_set(rig()->dp, &nowhere), 0);
	send_to(dst, 3);
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_L2TP_NO_ROUTE), 3);
	CU_ASSERT_EQUAL(dp_route_del(rig()->dp, PEER2, 24), 0);
	CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, IF_LAC, LAC, NULL), 0);
	rig_turn();
	send_to(dst, 3);
	CU_ASSERT_EQUAL(rig()->n_frames, 0); /* they wait for it */
	rig_close();
}

/* A frame that a port puts elsewhere in its buffer, and one in a buffer that another one shares. */
static void test_other_place(void)
{
	struct bytes frame = {0};
	struct rte_mbuf *m;

	rig_open(NULL);
	rig_add(rig_session());
	eth_ip4(&frame, IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 20});
	for (int i = 0; i < 2; i++) {
		rig_clear();
		m = dp_alloc(rig()->dp, frame.len + 2);
		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		if (i == 0)
			m->data_off += 2;
		else
			rte_mbuf_refcnt_update(m, 1);
		memcpy(rte_pktmbuf_append(m, (uint16_t)frame.len), frame.b, frame.len);
		rig_put_mbuf(1, rig()->owner, m);
		rig_turn();
		CU_ASSERT_EQUAL(rig()->n_frames, 1);
		if (i == 1)
			rte_pktmbuf_free(m);
	}
	CU_ASSERT_EQUAL(memcmp(rig()->frames[0].d.b + rig()->frames[0].d.len - 20,
	                       frame.b + frame.len - 20, 20),
	                0);
	rig_close();
}

/* A right checksum, whatever the words of the header are, and one that a changed bit makes wrong. */
static void test_header_sum(void)
{
	uint64_t seed = 7;
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < 1u << 20; i++) {
		uint8_t p[20];
		uint16_t sum;

		for (size_t k = 0; k < sizeof(p); k += 2)
			put_be16(p + k, ways_chance(&seed, 4) == 0
			                        ? UINT16_MAX
			                        : (uint16_t)ways_chance(&seed, 65536));
		memset(p + 10, 0, 2);
		sum = (uint16_t)~sum_fold(sum_bytes(p, sizeof(p), 0));
		memcpy(p + 10, &sum, 2);
		wrong += !ip4_sum20_right((const void *)p);
		p[ways_chance(&seed, 20)] ^= (uint8_t)(1u << ways_chance(&seed, 8));
		wrong += ip4_sum20_right((const void *)p);
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

CU_TestInfo *short_cuts_tests(void)
{
	static CU_TestInfo tests[] = {
	        {"an address of ours is ours whatever session has it", test_own_address},
	        {"so is a net of ours", test_own_net},
	        {"a martian is no one's whatever session has it", test_martian},
	        {"peers with different ways in one vector", test_ways_to_peers},
	        {"peers that are stations of one link", test_connected_peers},
	        {"a peer's route changes", test_route_changes},
	        {"a frame is not where frames are", test_other_place},
	        {"a header's checksum", test_header_sum},
	        CU_TEST_INFO_NULL,
	};

	return tests;
}
