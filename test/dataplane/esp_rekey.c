/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* A child whose keys change under traffic (E2): nothing is lost, and each packet has the right keys. */
#include "dataplane/esp_rig.h"

#include <string.h>

static void start(struct peer *p, struct pair *q)
{
	struct dp_session s;

	rig_open(NULL);
	peer_init(p);
	peer_add(p);
	pair_up(q, p);
	s = peer_session(p);
	rig_add(&s);
	rig_clear();
	rig_mark();
}

/* n packets each way: up on one SA, down on another. */
static void traffic(const struct peer *p, struct pair *up, struct pair *down, uint32_t n)
{
	struct bytes inner = {0};
	uint32_t n_up = 0, n_down = 0;

	rig_clear();
	for (uint32_t i = 0; i < n; i++) {
		peer_put_data(p, up, WORLD);
		peer_put_down();
	}
	rig_turn();
	for (uint32_t i = 0; i < rig()->n_frames; i++) {
		n_up += rig()->frames[i].port == 1;
		n_down += rig()->frames[i].port == 0;
		if (rig()->frames[i].port == 0)
			peer_opens(&rig()->frames[i].d, p, down, &inner);
	}
	CU_ASSERT_EQUAL(n_up, n);
	CU_ASSERT_EQUAL(n_down, n);
}

static void test_rekey(void)
{
	struct pair a, b, c, *old = &a, *new = &b;
	struct peer p;

	start(&p, &a);
	traffic(&p, &a, &a, 10);
	CU_ASSERT_EQUAL(events(a.in_id, DP_SA_FIRST), 1);
	/* The responder's order: inbound first, then outbound, then the peer's packets. */
	pair_make(new, &p);
	pair_in(new);
	traffic(&p, old, old, 10);
	pair_out(new);
	traffic(&p, old, old, 10);
	CU_ASSERT_TRUE(sa_stats(old->out_id).in_use);
	CU_ASSERT_FALSE(sa_stats(new->out_id).in_use);
	peer_put_data(&p, new, WORLD);
	rig_turn();
	CU_ASSERT_EQUAL(events(new->in_id, DP_SA_FIRST), 1);
	CU_ASSERT_TRUE(sa_stats(new->out_id).in_use);
	/* What the peer sent before still comes. */
	traffic(&p, old, new, 10);
	traffic(&p, new, new, 10);
	CU_ASSERT_EQUAL(events(new->in_id, DP_SA_FIRST), 0);
	pair_del(old);
	rig_turn();
	traffic(&p, new, new, 10);
	/* And once more, with the peer's packets in one vector on both. */
	pair_up(&c, &p);
	rig_clear();
	for (int i = 0; i < 8; i++)
		peer_put_data(&p, i % 3 == 2 ? &c : new, WORLD);
	peer_put_down();
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 9);
	CU_ASSERT_TRUE(sa_stats(c.out_id).in_use);
	pair_del(new);
	rig_turn();
	traffic(&p, &c, &c, 10);
	pair_free(&a);
	pair_free(&b);
	pair_free(&c);
	rig_close();
}

/* The initiator's order, or the peer is quick: its first packet is there before our outbound SA. */
static void test_early_packet(void)
{
	struct pair a, b;
	struct peer p;

	start(&p, &a);
	pair_make(&b, &p);
	pair_in(&b);
	peer_put_data(&p, &b, WORLD);
	rig_turn();
	traffic(&p, &a, &a, 3);
	pair_out(&b);
	rig_turn();
	traffic(&p, &b, &b, 3);
	pair_free(&a);
	pair_free(&b);
	rig_close();
}

static void test_use(void)
{
	struct pair a, b;
	struct peer p;

	start(&p, &a);
	pair_up(&b, &p);
	traffic(&p, &a, &a, 3);
	CU_ASSERT_EQUAL(dp_sa_use(rig()->dp, b.out_id), 0); /* control's two seconds are over */
	rig_turn();
	traffic(&p, &a, &b, 3);
	CU_ASSERT_FALSE(sa_stats(a.out_id).in_use);
	CU_ASSERT_TRUE(sa_stats(b.out_id).in_use);
	pair_free(&a);
	pair_free(&b);
	rig_close();
}

/* The one in use is deleted: the newest takes its place; and the last one leaves none. */
static void test_delete(void)
{
	struct pair a, b, c;
	struct peer p;

	start(&p, &a);
	pair_up(&b, &p);
	pair_up(&c, &p);
	CU_ASSERT_TRUE(sa_stats(a.out_id).in_use);
	CU_ASSERT_EQUAL(dp_sa_del(rig()->dp, a.out_id, NULL), 0);
	rig_turn();
	CU_ASSERT_TRUE(sa_stats(c.out_id).in_use);
	traffic(&p, &a, &c, 3);
	CU_ASSERT_EQUAL(dp_sa_del(rig()->dp, b.out_id, NULL), 0); /* not in use: no matter */
	rig_turn();
	traffic(&p, &b, &c, 3);
	CU_ASSERT_EQUAL(dp_sa_del(rig()->dp, c.out_id, NULL), 0);
	peer_put_down();
	rig_turn();
	peer_put_down();
	rig_clear();
	rig_mark();
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_L2TP_NO_SA), 1);
	/* Inbound SAs end one by one, too. */
	peer_put_data(&p, &a, WORLD);
	CU_ASSERT_EQUAL(dp_sa_del(rig()->dp, b.in_id, NULL), 0);
	peer_put_data(&p, &b, WORLD);
	peer_put_data(&p, &c, WORLD);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 2);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_ESP_UNKNOWN_SPI), 1);
	pair_free(&a);
	pair_free(&b);
	pair_free(&c);
	rig_close();
}

/* The SA in use and its successor are at a vector's two ends: orders and packets keep control's order. */
static void test_order_in_fifo(void)
{
	const uint8_t ppp[] = {0xc0, 0x21, 9};
	struct bytes inner = {0};
	struct pair a, b;
	struct peer p;

	start(&p, &a);
	pair_up(&b, &p);
	CU_ASSERT_EQUAL(dp_send_ppp(rig()->dp, SID, GEN, ppp, 3), 0);
	CU_ASSERT_EQUAL(dp_sa_use(rig()->dp, b.out_id), 0);
	CU_ASSERT_EQUAL(dp_send_ppp(rig()->dp, SID, GEN, ppp, 3), 0);
	CU_ASSERT_EQUAL(dp_sa_use(rig()->dp, a.out_id), 0);
	CU_ASSERT_EQUAL(dp_send_ppp(rig()->dp, SID, GEN, ppp, 3), 0);
	CU_ASSERT_EQUAL(dp_sa_del(rig()->dp, a.out_id, NULL), 0);
	CU_ASSERT_EQUAL(dp_send_ppp(rig()->dp, SID, GEN, ppp, 3), 0);
	rig_clear();
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 4);
	for (uint32_t i = 0; i < 4; i++)
		peer_opens_nr(i, &p, i % 2 == 0 ? &a : &b, &inner);
	pair_free(&a);
	pair_free(&b);
	rig_close();
}

/* Other keys, other algorithms, another mode: what differs between SAs does not show above. */
static void test_other_suite(void)
{
	struct pair a, b;
	struct peer p;

	start(&p, &a);
	p.suite = suite_cbc;
	p.tunnel_mode = p.encap = p.esn = true;
	pair_up(&b, &p);
	peer_put_data(&p, &b, WORLD);
	rig_turn();
	traffic(&p, &b, &b, 5);
	pair_free(&a);
	pair_free(&b);
	rig_close();
}

static CU_TestInfo tests[] = {
        {"under traffic", test_rekey},
        {"the peer is quicker", test_early_packet},
        {"by order", test_use},
        {"by deletion", test_delete},
        {"in control's order", test_order_in_fifo},
        {"another suite and mode", test_other_suite},
        CU_TEST_INFO_NULL,
};

CU_TestInfo *esp_rekey_tests(void)
{
	return tests;
}
