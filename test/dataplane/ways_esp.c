/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Two ways upstream through SAs, as ways_up.c has them without: what esp_usual does in one pass is what esp_in and the
 * stages behind it do.
 */
#include "dataplane/esp_rig.h"
#include "dataplane/ways.h"

#include <stdio.h>
#include <string.h>

#define HDR       0x0002
#define T         0x8000
#define L         0x4000
#define S         0x0800
#define O         0x0200
#define FF03      "ff 03 00 21"
#define N_ROWS(t) (sizeof(t) / sizeof((t)[0]))
#define PEERS     9
#define SESSIONS  12
#define OLD       64 /* frames that may come again */

/* ---- peers and sessions ---- */

static struct {
	struct peer p;
	struct pair q;
} peers[PEERS];
static struct bytes old[OLD];
/*
 * Peers: of one suite, and many packets are opened together. How many, the CPU says, and so whether a forged packet
 * that is old as well is one or the other: there are none.
 */
static bool all_cbc;

static void peer_form(int i)
{
	struct peer *p = &peers[i].p;

	peer_init(p);
	p->c.conn += (uint64_t)i;
	switch (i) {
	case 1:
		p->suite = suite_cbc;
		break;
	case 2:
		p->encap = true;
		break;
	case 3:
		p->encap = true;
		p->suite = suite_cbc;
		break;
	case 4:
		p->tunnel_mode = true;
		break;
	case 5:
		p->esn = true;
		break;
	case 6:
		p->c.peer.port = 0; /* any */
		break;
	}
	if (all_cbc)
		p->suite = suite_cbc;
}

/* The eighth's SA says that its end is near, and comes to it; the ninth's child fires before the first vector. */
static void peers_up(void)
{
	for (int i = 0; i < PEERS; i++) {
		struct peer *p = &peers[i].p;
		struct pair *q = &peers[i].q;

		peer_form(i);
		peer_add(p);
		pair_make(q, p);
		if (i == 7) {
			q->in.soft_packets = 500;
			q->in.hard_packets = 900;
		}
		pair_in(q);
		pair_out(q);
	}
	rig_turn();
	dp_child_latch(rig()->dp, peers[8].p.child);
}

/* Of each peer one; of the first three more. */
static struct dp_session session(int i)
{
	const struct peer *p = &peers[i < PEERS ? i : 0].p;
	struct dp_session s = peer_session(p);

	s.session_id = (uint16_t)(SID + i);
	s.peer_ip = SUB + (uint32_t)i;
	s.peer.port = 1701;
	switch (i) {
	case 1:
		s.mss_clamp = 500;
		break;
	case 9:
		s.check_sequence = true;
		break;
	case 10:
		s.open = false;
		break;
	case 11:
		s.peer_ip = FRAMED;
		break;
	}
	return s;
}

static void open_all(void)
{
	memset(old, 0, sizeof(old));
	rig_open(NULL);
	peers_up();
	for (int i = 0; i < SESSIONS; i++) {
		struct dp_session s = session(i);

		rig_add(&s);
	}
	CU_ASSERT_EQUAL(dp_tunnel_add(rig()->dp, TID, &peers[0].p.c.local, &peers[0].p.c.peer,
	                              peers[0].p.c.conn),
	                0);
	rig_clear();
}

static void close_all(void)
{
	for (int i = 0; i < PEERS; i++)
		pair_free(&peers[i].q);
	rig_close();
}

/* ---- packets by chance ---- */

static void any_message(uint64_t *seed, struct bytes *d, const struct peer *p, int who)
{
	static const uint16_t flags[] = {L, S, L | S, O, L | S | O, 0x0100, T | L | S, T | L | S};
	struct dp_session s = session(who);
	struct bytes body = {0};
	struct l2tpspec l = {.flags = HDR,
	                     .sid = s.session_id,
	                     .ns = (uint16_t)ways_chance(seed, 4),
	                     .sum = ways_chance(seed, 2) ? SUM_RIGHT : SUM_NONE,
	                     .body = &body};

	ways_body(seed, &body, s.peer_ip);
	if (ways_chance(seed, 6) == 0)
		l.flags |= flags[ways_chance(seed, N_ROWS(flags))];
	if (ways_chance(seed, 40) == 0)
		l.tid = (uint16_t)(TID + ways_chance(seed, 3));
	if (ways_chance(seed, 30) == 0)
		l.sport = (uint16_t)(1700 + ways_chance(seed, 3));
	if (ways_chance(seed, 30) == 0)
		l.dport = (uint16_t)(1700 + ways_chance(seed, 3));
	if (ways_chance(seed, 30) == 0)
		l.src = PEER_INNER + ways_chance(seed, 2);
	if (ways_chance(seed, 20) == 0)
		l.sum = SUM_WRONG;
	if (ways_chance(seed, 30) == 0)
		l.udp_add = (int16_t)(ways_chance(seed, 9) - 4);
	if (ways_chance(seed, 30) == 0)
		l.length_add = (int16_t)(ways_chance(seed, 9) - 4);
	peer_message(d, p, &l);
	if (ways_chance(seed, 12) == 0)
		d->b[ways_chance(seed, 44)] ^= (uint8_t)(1u << ways_chance(seed, 8));
	if (ways_chance(seed, 30) == 0)
		d->len = ways_chance(seed, 50);
}

/* What has come before may come again, and what should have come may be lost. */
static void any_esp(uint64_t *seed, struct bytes *frame)
{
	const int i = (int)ways_chance(seed, PEERS);
	int who = i != 0 || ways_chance(seed, 2) == 0 ? i : PEERS + (int)ways_chance(seed, 3);
	const uint32_t place = ways_chance(seed, OLD);
	struct peer p = peers[i].p;
	struct bytes inner = {0}, esp = {0};
	uint32_t lost = ways_chance(seed, 16) == 0 ? 1 + ways_chance(seed, 70) : 0;
	const uint32_t forge_from = all_cbc ? 8 : 4; /* behind the sequence number, or from it on */
	bool forged = false;

	if (ways_chance(seed, 30) == 0)
		who = (int)ways_chance(seed, SESSIONS); /* in a wrong SA */
	any_message(seed, &inner, &p, who);
	for (; lost > 0; lost--)
		peer_esp(&esp, &p, &peers[i].q, &inner);
	if (ways_chance(seed, 30) == 0)
		p.tunnel_mode = !p.tunnel_mode; /* another next header */
	peer_esp(&esp, &p, &peers[i].q, &inner);
	if (ways_chance(seed, 16) == 0) { /* but not the SPI: it is another one's by chance */
		esp.b[forge_from + ways_chance(seed, (uint32_t)esp.len - forge_from)] ^= 0x40;
		forged = true;
	}
	if (ways_chance(seed, 30) == 0) {
		esp.len -= ways_chance(seed, (uint32_t)esp.len - 4);
		forged = true;
	}
	if (ways_chance(seed, 30) == 0)
		p.encap = !p.encap;
	if (ways_chance(seed, 30) == 0)
		p.outer_port++;
	if (ways_chance(seed, 100) == 0)
		memset(esp.b, 0, 4); /* no SPI */
	frame->len = 0;
	peer_wrap(frame, &p, &esp);
	if (ways_chance(seed, 20) == 0)
		put16(frame, 0); /* padding of Ethernet */
	if (!all_cbc && ways_chance(seed, 30) == 0)
		ways_mutate(seed, frame, 26); /* no address: fragments of strangers wait */
	if (ways_chance(seed, 10) == 0 && old[place].len != 0) {
		*frame = old[place];
		forged = false;
	}
	old[place] = *frame;
	old[place].len *= ways_chance(seed, 8) != 0 && !(all_cbc && forged);
}

/* ---- what came of them ---- */

static uint64_t outcome(void)
{
	uint64_t h;

	/* What is still ciphered is not the same twice. */
	for (uint32_t i = 0; i < rig()->n_punts; i++) {
		if (rig()->punts[i].p.class == DP_PUNT_TWIN)
			memset(rig()->punts[i].d.b, 0, rig()->punts[i].d.len);
	}
	for (uint32_t i = 0; i < rig()->n_frames; i++) {
		struct rig_frame *f = &rig()->frames[i];

		if (f->port == 0 && get_be32(f->d.b + FRAME_IP + 12) == LNS) {
			memset(f->d.b, 0, f->d.len);
			f->d.len = FRAME_UDP;
		}
	}
	h = ways_counts(ways_frames(), SESSIONS);
	for (int i = 0; i < PEERS; i++) {
		struct dp_sa_stats st = sa_stats(peers[i].q.in_id);

		st.idle_ms = 0;
		h = ways_digest(h, &st.packets, sizeof(st.packets));
		h = ways_digest(h, &st.bytes, sizeof(st.bytes));
		h = ways_digest(h, &st.seq, sizeof(st.seq));
		h = ways_digest(h, &st.auth_errors, sizeof(st.auth_errors));
		h = ways_digest(h, &st.replays, sizeof(st.replays));
		h = ways_digest(h, &st.pad_errors, sizeof(st.pad_errors));
		h = ways_digest(h, &st.selector_errors, sizeof(st.selector_errors));
		h = ways_digest(h, &st.latched, sizeof(st.latched));
	}
	return h;
}

static void test_same(void)
{
	ways_same(&(struct ways){open_all, any_esp, outcome, close_all, 0});
}

static void test_same_cbc(void)
{
	all_cbc = true;
	test_same();
	all_cbc = false;
}

/* ---- who goes which way ---- */

/* An ESP frame of a session; the inner packet's id says which one it is. */
static void frame_make(struct bytes *frame, int who, uint16_t flags, const char *ppp, uint16_t id,
                       uint32_t dst)
{
	const int i = who < PEERS ? who : 0;
	const struct ipspec ip = {.src = session(who).peer_ip, .dst = dst, .id = id, .payload = 40};
	struct bytes packet = {0}, body = {0}, inner = {0}, esp = {0};

	ip4_make(&packet, &ip);
	ppp_make(&body, ppp, &packet);
	peer_message(&inner, &peers[i].p,
	             &(struct l2tpspec){.flags = HDR | flags,
	                                .sid = session(who).session_id,
	                                .ns = 1,
	                                .body = &body});
	peer_esp(&esp, &peers[i].p, &peers[i].q, &inner);
	frame->len = 0;
	peer_wrap(frame, &peers[i].p, &esp);
}

static const struct {
	bool usual;
	int who;
	uint16_t flags;
	const char *ppp;
	uint32_t dst;
} forms[] = {
        {true, 0, 0, FF03, WORLD},   {true, 0, 0, "00 21", WORLD},   {true, 0, 0x0100, FF03, WORLD},
        {true, 1, 0, FF03, WORLD},   {true, 2, 0, FF03, WORLD},      {true, 3, 0, "00 21", WORLD},
        {true, 5, 0, FF03, WORLD},   {true, 6, 0, FF03, CORE_GW},    {true, 7, 0, FF03, WORLD},
        {false, 4, 0, FF03, WORLD},  {false, 0, L, FF03, WORLD},     {false, 0, S, FF03, WORLD},
        {false, 0, O, FF03, WORLD},  {false, 0, 0, "21", WORLD},     {false, 0, 0, "c0 21", WORLD},
        {false, 10, 0, FF03, WORLD}, {false, 0, 0, FF03, CORE_HOST}, {false, 0, 0, FF03, SUB2},
        {false, 0, 0, FF03, LNS},
};

static void test_usual(void)
{
	struct worker *w;

	open_all();
	w = ways_worker();
	w->local = LNS; /* as after any packet */
	for (size_t i = 0; i < N_ROWS(forms); i++) {
		struct bytes frame = {0};
		struct rte_mbuf *v[VEC_MAX];
		uint16_t n, want = forms[i].usual ? 0 : 1;

		frame_make(&frame, forms[i].who, forms[i].flags, forms[i].ppp, (uint16_t)i,
		           forms[i].dst);
		n = dp_classify(w, v, ways_arrive(v, &frame, 1, 0));
		CU_ASSERT_EQUAL(n, 0);
		CU_ASSERT_EQUAL_FATAL(w->esp.n, 1);
		CU_ASSERT_EQUAL(w->esp_frames, 1);
		w->esp.n = 0;
		n = dp_esp_usual(w, w->esp.v, 1);
		if (n != want)
			printf("\n    form %zu goes the other way", i);
		CU_ASSERT_EQUAL(n, want);
		n = dp_up(w, w->esp.v, n);
		n = dp_l2tp_in(w, w->esp.v, n);
		n = dp_ppp_in(w, w->esp.v, n);
		dp_route(w, w->esp.v, n);
		rig_turn();
		CU_ASSERT_TRUE(!forms[i].usual || rig()->n_frames == 1);
		rig_clear();
	}
	close_all();
}

/* ---- order ---- */

/* Two sessions of one SA and one of another; some messages are not usual, and all but one may be forwarded. */
static void test_order(void)
{
	static const struct {
		int who;
		uint16_t flags;
		const char *ppp;
	} order[] = {{0, 0, FF03}, {9, 0, FF03}, {0, 0, "21"}, {0, 0, FF03},    {1, L, FF03},
	             {9, L, FF03}, {0, L, FF03}, {1, 0, FF03}, {9, 0, "00 21"}, {0, S, FF03},
	             {0, 0, FF03}, {1, 0, FF03}, {9, 0, FF03}, {0, 0, FF03}};
	struct bytes frames[N_ROWS(order)] = {0};
	struct rte_mbuf *v[VEC_MAX];

	open_all();
	for (uint16_t i = 0; i < N_ROWS(order); i++)
		frame_make(&frames[i], order[i].who, order[i].flags, order[i].ppp,
		           (uint16_t)(i + 1), WORLD);
	dp_input(ways_worker(), v, ways_arrive(v, frames, N_ROWS(order), 0));
	rig_turn();
	ways_in_order(N_ROWS(order), SESSIONS);
	close_all();
}

CU_TestInfo *ways_esp_tests(void)
{
	static CU_TestInfo tests[] = {
	        {"one pass does what the stages do", test_same},
	        {"the same of packets that are opened together", test_same_cbc},
	        {"what is usual goes in one pass", test_usual},
	        {"no packet overtakes another one of its session", test_order},
	        CU_TEST_INFO_NULL,
	};

	return tests;
}
