/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Two ways upstream: what up does in one pass is what the stages do one after the other. The same vectors go
 * through a data plane with up and through one without; frames, punts and counters must be the same, and the
 * frames of each source in the same order. And who goes which way, and that no packet overtakes another one
 * of its session.
 */
#include "dataplane/ways.h"

#include <stdio.h>

#define HDR       0x0002
#define L         0x4000
#define S         0x0800
#define O         0x0200
#define FF03      "ff 03 00 21"
#define N_ROWS(t) (sizeof(t) / sizeof((t)[0]))
#define SESSIONS  6

/* ---- sessions ---- */

static struct dp_session session(int i)
{
	struct dp_session s = *rig_session();

	s.session_id = (uint16_t)(SID + i);
	s.peer_ip = SUB + (uint32_t)i;
	switch (i) {
	case 1:
		s.mss_clamp = 500;
		s.check_sequence = true;
		break;
	case 2:
		s.open = false;
		break;
	case 3:
		s.peer_ip = 0;
		break;
	case 4:
		s.local.addr = ipaddr_v4(LNS_VLAN);
		s.peer.addr = ipaddr_v4(LAC_VLAN);
		break;
	case 5:
		s.peer_ip = FRAMED;
		break;
	}
	return s;
}

static void open_all(void)
{
	rig_open(NULL);
	for (int i = 0; i < SESSIONS; i++) {
		struct dp_session s = session(i);

		rig_add(&s);
	}
	rig_clear();
}

/* ---- packets by chance ---- */

static void any_frame(uint64_t *seed, struct bytes *frame)
{
	static const uint16_t flags[] = {L, S, L | S, O, L | S | O, 0x0100};
	int who = (int)ways_chance(seed, SESSIONS);
	struct dp_session s = session(who);
	struct bytes body = {0};
	struct l2tpspec l = {.flags = HDR,
	                     .sid = s.session_id,
	                     .ns = (uint16_t)ways_chance(seed, 4),
	                     .sum = ways_chance(seed, 2) ? SUM_RIGHT : SUM_NONE,
	                     .body = &body};

	if (who == 4) {
		l.ifidx = IF_LAC_VLAN;
		l.src = LAC_VLAN;
		l.dst = LNS_VLAN;
	}
	ways_body(seed, &body, s.peer_ip);
	if (ways_chance(seed, 6) == 0)
		l.flags |= flags[ways_chance(seed, N_ROWS(flags))];
	if (ways_chance(seed, 20) == 0)
		l.sum = SUM_WRONG;
	if (ways_chance(seed, 20) == 0)
		l.length_add = (int16_t)(ways_chance(seed, 9) - 4);
	if (ways_chance(seed, 20) == 0)
		l.pad = (uint16_t)ways_chance(seed, 20);
	frame->len = 0;
	l2tp_make(frame, &l);
	if (ways_chance(seed, 6) == 0)
		ways_mutate(seed, frame, 84);
}

/* ---- both ways ---- */

static uint64_t outcome(void)
{
	return ways_counts(ways_frames(), SESSIONS);
}

static void test_same(void)
{
	ways_same(&(struct ways){open_all, any_frame, outcome, rig_close, 0});
}

static void test_handed(void)
{
	ways_handed(&(struct ways){open_all, any_frame, outcome, rig_close, 0});
}

/* ---- who goes which way ---- */

/* A frame of session who; the packet's id says which one it is. */
static void frame_make(struct bytes *frame, int who, const char *ppp, uint16_t flags,
                       struct ipspec ip)
{
	struct dp_session s = session(who);
	struct bytes packet = {0}, body = {0};

	ip.src = s.peer_ip;
	if (ip.dst == 0)
		ip.dst = WORLD;
	if (ip.payload == 0)
		ip.payload = 40;
	ip4_make(&packet, &ip);
	ppp_make(&body, ppp, &packet);
	frame->len = 0;
	l2tp_make(frame, &(struct l2tpspec){.flags = HDR | flags,
	                                    .sid = s.session_id,
	                                    .sum = ip.id & 1 ? SUM_RIGHT : SUM_NONE,
	                                    .ns = 1,
	                                    .body = &body});
}

static const struct {
	bool usual;
	int who;
	const char *ppp;
	uint16_t flags;
	struct ipspec ip;
} forms[] = {
        {true, 0, FF03, 0, {.id = 0}},
        {true, 0, "00 21", 0, {.id = 1}},
        {true, 0, FF03, L, {.id = 0}},
        {true, 0, "00 21", L, {.id = 1}},
        {true, 0, FF03, 0x0100, {.id = 1}},
        {true, 1, FF03, 0, {.id = 1}},
        {true, 0, FF03, 0, {.id = 0, .proto = 6}},
        {false, 1, FF03, 0, {.id = 0, .proto = 6}}, /* the pattern has SYN */
        {true, 0, FF03, 0, {.dst = CORE_GW}},
        {true, 0, FF03, 0, {.dst = LAC_VLAN}},
        {true, 0, FF03, 0, {.ttl = 2}},
        {true, 0, FF03, 0, {.frag = 0x2000}},
        {true, 0, FF03, 0, {.payload = 1480}},
        {false, 0, FF03, S, {.id = 0}},
        {false, 0, FF03, O, {.id = 0}},
        {false, 0, "21", 0, {.id = 0}},
        {false, 0, "c0 21", 0, {.id = 0}},
        {false, 2, FF03, 0, {.id = 0}},
        {false, 3, FF03, 0, {.id = 0}},
        {false, 0, FF03, 0, {.dst = CORE_HOST}},
        {false, 0, FF03, 0, {.dst = SUB2}},
        {false, 0, FF03, 0, {.dst = FRAMED}},
        {false, 0, FF03, 0, {.dst = LNS}},
        {false, 0, FF03, 0, {.dst = BLACKHOLE}},
        {false, 0, FF03, 0, {.dst = IP(127, 0, 0, 1)}},
        {false, 0, FF03, 0, {.ttl = 1}},
        {false, 0, FF03, 0, {.payload = 1481}},
};

static void test_usual(void)
{
	struct worker *w;

	open_all();
	w = ways_worker();
	for (size_t i = 0; i < N_ROWS(forms); i++) {
		struct bytes frame = {0};
		struct rte_mbuf *v[VEC_MAX];
		uint16_t n;

		frame_make(&frame, forms[i].who, forms[i].ppp, forms[i].flags, forms[i].ip);
		n = dp_classify(w, v, ways_arrive(v, &frame, 1, 0));
		CU_ASSERT_EQUAL(n, 1);
		n = dp_up(w, v, n);
		CU_ASSERT_EQUAL(n, forms[i].usual ? 0 : 1);
		if (n != (forms[i].usual ? 0 : 1))
			printf("\n    form %zu goes the other way", i);
		n = dp_l2tp_in(w, v, n);
		n = dp_ppp_in(w, v, n);
		dp_route(w, v, n);
		rig_turn();
		CU_ASSERT_TRUE(!forms[i].usual || rig()->n_frames == 1);
		rig_clear();
	}
	rig_close();
}

/* ---- order ---- */

static void order_at(uint16_t id)
{
	/* Who sends, and whether the packet is unusual; frames are L2TP's with a length or without. */
	static const struct {
		int who;
		uint16_t flags;
		const char *ppp;
	} order[] = {{0, 0, FF03}, {1, 0, FF03},    {0, 0, "21"}, {0, 0, FF03},
	             {1, L, FF03}, {0, L, FF03},    {1, S, FF03}, {0, 0, "00 21"},
	             {1, 0, FF03}, {1, L, "00 21"}, {0, S, FF03}, {0, 0, FF03}};
	struct bytes frames[N_ROWS(order)] = {0};
	struct rte_mbuf *v[VEC_MAX];
	struct worker *w;

	open_all();
	w = rig()->dp->workers[id];
	for (uint16_t i = 0; i < N_ROWS(order); i++)
		frame_make(&frames[i], order[i].who, order[i].ppp, order[i].flags,
		           (struct ipspec){.id = (uint16_t)(i + 1)});
	dp_input(w, v, ways_arrive(v, frames, N_ROWS(order), 0));
	rig_turn();
	ways_in_order(N_ROWS(order), 2);
	rig_close();
}

/* At their owner, or handed over to it. */
static void test_order(void)
{
	for (uint16_t id = 0; id < rig()->n_workers; id++)
		order_at(id);
}

CU_TestInfo *ways_up_tests(void)
{
	static CU_TestInfo tests[] = {
	        {"one pass does what the stages do", test_same},
	        {"a hand-off changes nothing", test_handed},
	        {"what is usual goes in one pass", test_usual},
	        {"no packet overtakes another one of its session", test_order},
	        CU_TEST_INFO_NULL,
	};

	return tests;
}
