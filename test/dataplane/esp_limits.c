/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Where an SA ends: bytes, packets, sequence numbers (RFC 4301 4.4.2.1, RFC 4303 3.3.3). */
#include "dataplane/esp_rig.h"

#include "esp/esp_int.h"

static void limits_in(struct peer *p, struct pair *q, struct dp_sa *limits)
{
	peer_init(p);
	peer_add(p);
	pair_make(q, p);
	for (int i = 0; i < 2; i++) {
		struct dp_sa *s = i == 0 ? &q->in : &q->out;

		s->soft_bytes = limits->soft_bytes;
		s->hard_bytes = limits->hard_bytes;
		s->soft_packets = limits->soft_packets;
		s->hard_packets = limits->hard_packets;
	}
	pair_in(q);
	pair_out(q);
	rig_turn();
}

/* soft after 3 packets of the kind that the test sends, hard after 5, in either direction. */
static void check_limits(struct peer *p, struct pair *q)
{
	struct dp_session s = peer_session(p);

	rig_add(&s);
	rig_clear();
	for (int i = 0; i < 7; i++) {
		peer_put_data(p, q, WORLD);
		peer_put_down();
	}
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 10);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_ESP_EXPIRED), 4);
	/* And in a vector that comes later. */
	peer_put_data(p, q, WORLD);
	peer_put_down();
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 10);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_ESP_EXPIRED), 6);
	CU_ASSERT_EQUAL(sa_stats(q->in_id).packets, 5);
	CU_ASSERT_EQUAL(sa_stats(q->out_id).packets, 5);
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(events(i == 0 ? q->in_id : q->out_id, DP_SA_SOFT), 1);
		CU_ASSERT_EQUAL(events(i == 0 ? q->in_id : q->out_id, DP_SA_HARD), 1);
	}
	/* The one that comes in its place works. */
	pair_del(q);
	pair_free(q);
	pair_up(q, p);
	rig_clear();
	peer_put_data(p, q, WORLD);
	peer_put_down();
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 2);
	pair_free(q);
}

static void test_limits(void)
{
	/* What passes the SA: UDP, L2TP and PPP headers, and 60 bytes. */
	const uint32_t size = 8 + 6 + 4 + 60;
	struct dp_sa by_packets = {.soft_packets = 3, .hard_packets = 5};
	struct dp_sa by_bytes = {.soft_bytes = 3 * size, .hard_bytes = 5 * size + 1};
	struct peer p;
	struct pair q;

	rig_open(NULL);
	limits_in(&p, &q, &by_packets);
	check_limits(&p, &q);
	rig_close();
	rig_open(NULL);
	limits_in(&p, &q, &by_bytes);
	check_limits(&p, &q);
	rig_close();
}

/* What comes behind the packet that was too many does not pass either, however small it is. */
static void test_limit_in_burst(void)
{
	struct bytes inner, big, body = {0}, packet = {0};
	struct dp_sa limits = {.hard_bytes = 200};
	struct dp_session s;
	struct peer p;
	struct pair q;

	rig_open(NULL);
	limits_in(&p, &q, &limits);
	s = peer_session(&p);
	rig_add(&s);
	rig_clear();
	ip4_make(&packet, &(struct ipspec){.src = SUB, .dst = WORLD, .payload = 300});
	ppp_make(&body, "21", &packet);
	peer_message(&big, &p, &(struct l2tpspec){.flags = 2, .body = &body});
	peer_data(&inner, &p, WORLD, NULL);
	peer_put(&p, &q, &inner);
	peer_put(&p, &q, &big);
	peer_put(&p, &q, &inner);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_ESP_EXPIRED), 2);
	CU_ASSERT_EQUAL(events(q.in_id, DP_SA_HARD), 1);
	pair_free(&q);
	rig_close();
}

/* Before the last sequence number a new SA is wanted; after it nothing passes. */
static void test_sequence_end(void)
{
	const uint64_t soft = 0xf0000000;
	struct peer p;
	struct pair q;
	struct sa *sa;

	rig_open(NULL);
	peer_init(&p);
	peer_up(&p, &q);
	sa = dp_sa_find(rig()->dp, q.out_id);
	esp_of(sa)->seq = soft - 2;
	peer_put_down();
	rig_turn();
	CU_ASSERT_EQUAL(events(q.out_id, DP_SA_SOFT), 0);
	peer_put_down();
	rig_turn();
	CU_ASSERT_EQUAL(events(q.out_id, DP_SA_SOFT), 1);
	q.tx->seq = soft; /* the peer's packets, too */
	peer_put_data(&p, &q, WORLD);
	rig_turn();
	CU_ASSERT_EQUAL(events(q.in_id, DP_SA_SOFT), 1);
	esp_of(sa)->seq = 0xfffffffe;
	rig_clear();
	for (int i = 0; i < 3; i++)
		peer_put_down();
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_ESP_EXPIRED), 2);
	CU_ASSERT_EQUAL(events(q.out_id, DP_SA_SOFT), 0);
	CU_ASSERT_EQUAL(events(q.out_id, DP_SA_HARD), 1);
	pair_free(&q);
	rig_close();
}

static CU_TestInfo tests[] = {
        {"limits", test_limits},
        {"a limit within a burst", test_limit_in_burst},
        {"sequence numbers end", test_sequence_end},
        CU_TEST_INFO_NULL,
};

CU_TestInfo *esp_limits_tests(void)
{
	return tests;
}
