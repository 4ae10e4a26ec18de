/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Two ways downstream, as ways_up.c has them for upstream: what down does in one pass is what the stages do. Outer
 * packets are numbered in the order in which they are made, which is not the same both ways: their ids
 * are left out.
 */
#include "dataplane/esp_rig.h"
#include "dataplane/ways.h"

#include <stdio.h>
#include <string.h>

#define N_ROWS(t) (sizeof(t) / sizeof((t)[0]))
#define PLAIN     10 /* sessions in no SA */
#define SESSIONS  14
#define PEERS     3

/* ---- peers with SAs ---- */

static struct {
	struct peer p;
	struct pair q;
} peers[PEERS];

/* The second's SA says that its end is near, and comes to it; the third's child fires before the first vector. */
static void peers_up(void)
{
	for (int i = 0; i < PEERS; i++) {
		struct peer *p = &peers[i].p;
		struct pair *q = &peers[i].q;

		peer_init(p);
		p->encap = i == 1;
		p->suite = i == 1 ? suite_cbc : suite_gcm;
		p->c.conn += (uint64_t)i;
		peer_add(p);
		pair_make(q, p);
		if (i == 1) {
			q->out.soft_packets = 700;
			q->out.hard_packets = 1200;
		}
		pair_in(q);
		pair_out(q);
	}
	rig_turn();
	dp_child_latch(rig()->dp, peers[2].p.child);
}

/* The session's peer, or NULL. */
static const struct peer *peer_of(int i)
{
	return i < PLAIN ? NULL : &peers[i == 13 ? 2 : i == 12 ? 1 : 0].p;
}

/* ---- sessions ---- */

static struct dp_session session(int i)
{
	struct dp_session s = peer_of(i) == NULL ? *rig_session() : peer_session(peer_of(i));

	s.session_id = (uint16_t)(SID + i);
	s.peer_session_id = (uint16_t)(PEER_SID + i);
	s.peer_ip = SUB + (uint32_t)i;
	s.mtu = 1400;
	s.udp_checksum = i % 2 != 0;
	switch (i) {
	case 1:
		s.length_bit = true;
		s.tx_pfc = true;
		break;
	case 2:
		s.sequencing = true;
		break;
	case 3:
		s.mss_clamp = 500;
		s.tx_acfc = true;
		s.tx_pfc = true;
		break;
	case 4:
		s.outer_df = true;
		s.mtu = 1480;
		break;
	case 5:
		s.local.addr = ipaddr_v4(LNS_VLAN);
		s.peer.addr = ipaddr_v4(LAC_VLAN);
		break;
	case 6:
		s.open = false;
		break;
	case 7:
		s.peer_ip = FRAMED;
		break;
	case 8:
		s.mtu = 1490; /* more than the link takes with headers */
		break;
	case 9:
		s.peer.addr = ipaddr_v4(LAC + 1); /* its MAC is not known */
		break;
	case 11:
		s.length_bit = true;
		s.mss_clamp = 500;
		break;
	}
	return s;
}

static void open_all(void)
{
	rig_open(NULL);
	peers_up();
	for (int i = 0; i < SESSIONS; i++) {
		struct dp_session s = session(i);

		rig_add(&s);
	}
	rig_clear();
}

/* With so many beside them that places are fetched ahead. */
static void open_many(void)
{
	struct dp_session s = *rig_session();

	open_all();
	s.peer_ip = 0;
	for (uint16_t i = 0; i <= SUBS_MANY; i++) {
		s.session_id = (uint16_t)(SID + 1000 + i);
		CU_ASSERT_EQUAL_FATAL(dp_session_add(rig()->dp, &s), 0);
		if (i % 1000 == 0)
			rig_turn();
	}
	rig_turn();
	CU_ASSERT_TRUE(dp_subs_many(ways_worker()->dp));
}

/* ---- packets by chance ---- */

static void any_frame(uint64_t *seed, struct bytes *frame)
{
	struct dp_session s = session((int)ways_chance(seed, SESSIONS));
	struct bytes packet = {0};

	if (ways_chance(seed, 20) == 0)
		s.peer_ip = SUB_FREE;
	ways_inner(seed, &packet, WORLD + ways_chance(seed, 3), s.peer_ip);
	/* Our own pieces wait for others, and take the test's memory. */
	if (get_be32(packet.b + 16) == LNS || get_be32(packet.b + 16) == CORE_US) {
		memset(packet.b + 6, 0, 2);
		ip4_fix(&packet, 0);
	}
	frame->len = 0;
	eth(frame, IF_CORE, 0x0800);
	put(frame, packet.b, packet.len);
	for (uint32_t pad = ways_chance(seed, 20) == 0 ? ways_chance(seed, 20) : 0; pad > 0; pad--)
		put8(frame, 0xee);
	if (ways_chance(seed, 6) == 0)
		ways_mutate(seed, frame, 54);
}

/* ---- what came of them ---- */

static void close_all(void)
{
	for (int i = 0; i < PEERS; i++)
		pair_free(&peers[i].q);
	rig_close();
}

static uint8_t *ip_of(struct rig_frame *f)
{
	return f->d.b + (get_be16(f->d.b + 12) == 0x8100 ? 18 : 14);
}

/* ESP is opened, by its peer, whose packets come in their order: what was in it stands behind the IPv4 header. */
static void open_esp(struct rig_frame *f)
{
	uint8_t *ip = ip_of(f);
	const bool encap = ip[9] == 17 && get_be16(ip + 20) == 4500;
	int i = encap ? 1 : 0;
	struct bytes inner = {0};

	if (f->port != 0 || (!encap && ip[9] != 50))
		return;
	peer_opens(&f->d, &peers[i].p, &peers[i].q, &inner);
	ip[9] = 17;
	memcpy(ip + 20, inner.b, inner.len);
	f->d.len = (size_t)(ip - f->d.b) + 20 + inner.len;
}

/* For whom, by the peer's session id; what does not have it is no one's. */
static uint32_t receiver(struct rig_frame *f)
{
	const uint8_t *ip = ip_of(f), *l2tp = ip + 28;

	if (f->port != 0 || f->d.len < 18 + 28 + 8 || ip[9] != 17 || get_be16(ip + 22) != 1701 ||
	    (get_be16(ip + 6) & 0x1fff) != 0)
		return 0;
	return get_be16(l2tp + 4 + (get_be16(l2tp) & 0x4000 ? 2 : 0));
}

/* Frames without their ids, those of a receiver in their order; receivers in any. */
static uint64_t frames_digest(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < rig()->n_frames; i++) {
		struct rig_frame *f = &rig()->frames[i];
		uint8_t *ip = ip_of(f);
		uint32_t before = 0;

		CU_ASSERT_TRUE(ip4_sum_right(ip));
		open_esp(f);
		if (f->port == 0) {
			memset(ip + 4, 0, 2);
			memset(ip + 10, 0, 2);
		}
		for (uint32_t k = 0; k < i; k++)
			before += receiver(&rig()->frames[k]) == receiver(f);
		sum += ways_digest(ways_digest(before + 1, &f->port, sizeof(f->port)), f->d.b,
		                   f->d.len);
	}
	return sum;
}

static uint64_t outcome(void)
{
	uint64_t h = ways_counts(frames_digest(), SESSIONS);

	for (int k = 0; k < PEERS; k++) {
		struct dp_sa_stats st = sa_stats(peers[k].q.out_id);

		h = ways_digest(h, &st.packets, sizeof(st.packets));
		h = ways_digest(h, &st.bytes, sizeof(st.bytes));
		h = ways_digest(h, &st.seq, sizeof(st.seq));
	}
	return h;
}

static void test_same(void)
{
	ways_same(&(struct ways){open_all, any_frame, outcome, close_all, 1});
}

static void test_same_many(void)
{
	ways_same(&(struct ways){open_many, any_frame, outcome, close_all, 1});
}

static void test_handed(void)
{
	ways_handed(&(struct ways){open_all, any_frame, outcome, close_all, 1});
}

/* ---- who goes which way ---- */

static const struct {
	bool usual;
	int who;
	struct ipspec ip;
} forms[] = {
        {true, 0, {.id = 0}},
        {true, 1, {.id = 0}},
        {false, 2, {.id = 0}},
        {true, 3, {.id = 0}},
        {false, 3, {.id = 0, .proto = 6}}, /* the pattern has SYN */
        {true, 0, {.id = 0, .proto = 6}},
        {true, 4, {.id = 0}},
        {true, 5, {.id = 0}},
        {false, 6, {.id = 0}},
        {true, 7, {.id = 0}},
        {true, 0, {.ttl = 2}},
        {false, 0, {.ttl = 1}},
        {true, 0, {.frag = 0x2000}},
        {true, 0, {.payload = 1380}},
        {false, 0, {.payload = 1381}},
        {true, 8, {.payload = 1442}}, /* 1462 + 38 = 1500 */
        {false, 8, {.payload = 1443}},
        {false, 9, {.id = 0}},
        {true, 10, {.id = 0}},
        {true, 11, {.id = 0}},
        {false, 11, {.id = 0, .proto = 6}},
        {true, 12, {.id = 0}},
        {true, 12, {.payload = 1380}},
        {false, 12, {.payload = 1381}},
        {false, 12, {.ttl = 1}},
        {false, 13, {.id = 0}},
        {false, 0, {.dst = WORLD}},
        {false, 0, {.dst = SUB_FREE}},
        {false, 0, {.dst = BLACKHOLE}},
};

static void frame_make(struct bytes *frame, int who, struct ipspec ip)
{
	ip.src = WORLD;
	if (ip.dst == 0)
		ip.dst = session(who).peer_ip;
	if (ip.payload == 0)
		ip.payload = 40;
	frame->len = 0;
	eth_ip4(frame, IF_CORE, &ip);
}

static void test_usual(void)
{
	struct worker *w;

	open_all();
	w = ways_worker();
	for (size_t i = 0; i < N_ROWS(forms); i++) {
		struct bytes frame = {0};
		struct rte_mbuf *v[VEC_MAX];
		uint16_t n;

		frame_make(&frame, forms[i].who, forms[i].ip);
		CU_ASSERT_EQUAL(dp_classify(w, v, ways_arrive(v, &frame, 1, 1)), 0);
		CU_ASSERT_EQUAL(w->transit.n, 1);
		w->transit.n = 0;
		n = dp_down_usual(w, w->transit.v, 1);
		CU_ASSERT_EQUAL(n, forms[i].usual ? 0 : 1);
		if (n != (forms[i].usual ? 0 : 1))
			printf("\n    form %zu goes the other way", i);
		dp_route(w, w->transit.v, n);
		rig_turn();
		CU_ASSERT_TRUE(!forms[i].usual || rig()->n_frames == 1);
		rig_clear();
	}
	close_all();
}

/* ---- order ---- */

/* TCP packets with SYN are not usual for session 3, sessions 0 and 3 take turns. */
static void order_at(uint16_t id)
{
	static const struct {
		int who;
		uint8_t proto;
	} order[] = {{3, 17}, {0, 17}, {3, 6}, {3, 17}, {0, 17}, {3, 6}, {3, 17}, {0, 6}};
	struct bytes frames[N_ROWS(order)] = {0};
	struct rte_mbuf *v[VEC_MAX];
	uint16_t last[4] = {0};
	struct worker *w;

	open_all();
	w = rig()->dp->workers[id];
	for (uint16_t i = 0; i < N_ROWS(order); i++)
		frame_make(&frames[i], order[i].who,
		           (struct ipspec){.id = (uint16_t)(i + 1), .proto = order[i].proto});
	dp_input(w, v, ways_arrive(v, frames, 3, 1));
	dp_input(w, v, ways_arrive(v, frames + 3, N_ROWS(order) - 3, 1));
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, N_ROWS(order));
	for (uint32_t i = 0; i < rig()->n_frames; i++) {
		const struct bytes *d = &rig()->frames[i].d;
		uint32_t who = receiver(&rig()->frames[i]) - PEER_SID;
		const uint8_t *ip = d->b + 14 + 28 + 6 + (who == 3 ? 1 : 4);

		CU_ASSERT_FATAL(who < 4);
		CU_ASSERT_TRUE(get_be16(ip + 4) > last[who]);
		last[who] = get_be16(ip + 4);
	}
	close_all();
}

/* At their owner, or handed over to it. */
static void test_order(void)
{
	for (uint16_t id = 0; id < rig()->n_workers; id++)
		order_at(id);
}

CU_TestInfo *ways_down_tests(void)
{
	static CU_TestInfo tests[] = {
	        {"one pass does what the stages do", test_same},
	        {"the same among thousands", test_same_many},
	        {"a hand-off changes nothing", test_handed},
	        {"what is usual goes in one pass", test_usual},
	        {"no packet overtakes another one of its session", test_order},
	        CU_TEST_INFO_NULL,
	};

	return tests;
}
