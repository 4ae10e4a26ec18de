/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Downstream through an SA: what the peer can decrypt, and that nothing leaves in the clear. */
#include "dataplane/esp_rig.h"

#include <errno.h>
#include <string.h>

#define N_ROWS(t) (sizeof(t) / sizeof((t)[0]))
#define DATA      8 /* of the L2TP message in the inner bytes: behind UDP */

static void put_down(uint32_t dst, uint16_t payload, uint16_t id)
{
	struct bytes frame = {0};

	eth_ip4(&frame, IF_CORE,
	        &(struct ipspec){.src = WORLD, .dst = dst, .payload = payload, .id = id});
	rig_put(1, 0, &frame);
}

static const struct {
	bool tunnel_mode, encap, esn;
	const struct esp_suite *suite;
} forms[] = {
        {false, false, false, &suite_gcm},  {false, true, false, &suite_gcm},
        {true, false, true, &suite_gcm},    {true, true, false, &suite_gcm},
        {false, false, true, &suite_cbc},   {false, true, false, &suite_cbc},
        {true, false, false, &suite_cbc},   {true, true, true, &suite_cbc},
        {false, false, false, &suite_null},
};

static void check_data(const struct bytes *inner, uint16_t id)
{
	const uint8_t *ip = inner->b + DATA + 6 + 4;

	CU_ASSERT_EQUAL(memcmp(inner->b + DATA, "\x00\x02\x22\x02\x33\x03\xff\x03\x00\x21", 10), 0);
	CU_ASSERT_EQUAL(inner->len, DATA + 6u + 4 + 60);
	CU_ASSERT_TRUE(ip4_sum_right(ip));
	CU_ASSERT_EQUAL(ip[8], 63);
	CU_ASSERT_EQUAL(get_be16(ip + 4), id);
}

static void test_forms(void)
{
	for (size_t i = 0; i < N_ROWS(forms); i++) {
		struct bytes inner = {0};
		struct dp_session_stats st;
		struct peer p;
		struct pair q;

		rig_open(NULL);
		peer_init(&p);
		p.tunnel_mode = forms[i].tunnel_mode;
		p.encap = forms[i].encap;
		p.esn = forms[i].esn;
		p.suite = *forms[i].suite;
		peer_up(&p, &q);
		for (uint16_t k = 0; k < 20; k++)
			put_down(SUB, 40, k);
		rig_turn();
		CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 20);
		for (uint16_t k = 0; k < 20; k++) {
			CU_ASSERT_EQUAL(peer_opens_nr(k, &p, &q, &inner), 2);
			check_data(&inner, k);
		}
		CU_ASSERT_EQUAL(dp_session_stats(rig()->dp, SID, GEN, &st), 0);
		CU_ASSERT_EQUAL(st.tx_packets, 20);
		CU_ASSERT_EQUAL(sa_stats(q.out_id).packets, 20);
		CU_ASSERT_EQUAL(sa_stats(q.out_id).seq, 20);
		CU_ASSERT_TRUE(sa_stats(q.out_id).in_use);
		pair_free(&q);
		rig_close();
	}
}

/* ---- control's own ---- */

/* Data, PPP frames and L2TP control messages share one SA and keep control's order. */
static void test_control_frames(void)
{
	const struct endpoint us = {ipaddr_v4(LNS), 1701}, they = {ipaddr_v4(PEER_INNER), 1701};
	const uint8_t ppp[] = {0xc0, 0x21, 9}, zlb[] = {0xc8, 2, 0, 12, 0x22, 2, 0, 0, 0, 1, 0, 1};
	struct bytes inner = {0};
	struct peer p;
	struct pair q;

	for (int tunnel_mode = 0; tunnel_mode < 2; tunnel_mode++) {
		rig_open(NULL);
		peer_init(&p);
		p.tunnel_mode = tunnel_mode != 0;
		p.encap = true;
		peer_up(&p, &q);
		for (int i = 0; i < 3; i++) {
			CU_ASSERT_EQUAL(dp_send_ppp(rig()->dp, SID, GEN, ppp, sizeof(ppp)), 0);
			CU_ASSERT_EQUAL(
			        dp_send_udp(rig()->dp, &us, &they, p.child, zlb, sizeof(zlb)), 0);
		}
		rig_turn();
		CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 6);
		for (uint32_t i = 0; i < 6; i++) {
			CU_ASSERT_EQUAL(peer_opens_nr(i, &p, &q, &inner), i % 2 == 0 ? 2 : 0xc802);
			CU_ASSERT_EQUAL(esp_sa_seq(q.rx), i + 1);
			if (i % 2 == 0)
				CU_ASSERT_EQUAL(memcmp(inner.b + DATA + 6, ppp, 3), 0);
			if (i % 2 == 1)
				CU_ASSERT_EQUAL(memcmp(inner.b + DATA, zlb, sizeof(zlb)), 0);
			if (i % 2 == 1)
				CU_ASSERT_NOT_EQUAL(get_be16(inner.b + 6), 0);
		}
		pair_free(&q);
		rig_close();
	}
}

static void test_send_refused(void)
{
	const struct endpoint us = {ipaddr_v4(LNS), 1701}, they = {ipaddr_v4(PEER_INNER), 1701};
	struct peer p;
	uint32_t child;

	rig_open(NULL);
	CU_ASSERT_EQUAL(dp_send_udp(rig()->dp, &us, &they, 1, us.addr.b, 4), -ENOENT);
	CU_ASSERT_EQUAL(dp_send_udp(rig()->dp, &us, &they, 1u << 31, us.addr.b, 4), -ENOENT);
	peer_init(&p);
	peer_add(&p);
	child = p.child;
	CU_ASSERT_EQUAL(dp_send_udp(rig()->dp, &us, &they, child, us.addr.b, 4), 0);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_ESP_NO_SA), 1);
	CU_ASSERT_EQUAL(dp_child_del(rig()->dp, child), 0);
	CU_ASSERT_EQUAL(dp_send_udp(rig()->dp, &us, &they, child, us.addr.b, 4), -ENOENT);
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	rig_close();
}

/* ---- never in the clear ---- */

static void test_never_clear(void)
{
	struct dp_session_stats st;
	struct dp_session s;
	struct peer p;
	struct pair q;

	rig_open(NULL);
	peer_init(&p);
	peer_add(&p);
	pair_make(&q, &p);
	for (int bound = 0; bound < 2; bound++) { /* to a connection alone; to its child */
		s = peer_session(&p);
		s.session_id = (uint16_t)(SID + bound);
		s.child = bound != 0 ? p.child : 0;
		rig_add(&s);
		rig_mark();
		put_down(SUB, 40, 1);
		CU_ASSERT_EQUAL(dp_send_ppp(rig()->dp, s.session_id, GEN, (const uint8_t *)"!", 1),
		                0);
		rig_turn();
		CU_ASSERT_EQUAL(rig_drops(DP_DROP_L2TP_NO_SA), 2);
		CU_ASSERT_EQUAL(dp_session_stats(rig()->dp, s.session_id, GEN, &st), 0);
		CU_ASSERT_EQUAL(st.tx_discards, 1);
		CU_ASSERT_EQUAL(st.tx_packets, 0);
	}
	/* With an SA, and without it again. */
	pair_in(&q);
	pair_out(&q);
	put_down(SUB, 40, 1);
	rig_turn();
	rig_clear();
	put_down(SUB, 40, 1);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 1);
	rig_clear();
	rig_mark();
	pair_del(&q);
	rig_turn();
	put_down(SUB, 40, 1);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_L2TP_NO_SA), 1);
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	pair_free(&q);
	rig_close();
}

static void test_session_child(void)
{
	struct dp_session s;
	struct peer p;

	rig_open(NULL);
	peer_init(&p);
	peer_add(&p);
	s = peer_session(&p);
	s.conn++;
	CU_ASSERT_EQUAL(dp_session_add(rig()->dp, &s), -EINVAL);
	s.conn = 0;
	CU_ASSERT_EQUAL(dp_session_add(rig()->dp, &s), -EINVAL);
	s = peer_session(&p);
	s.child++;
	CU_ASSERT_EQUAL(dp_session_add(rig()->dp, &s), -EINVAL);
	s = peer_session(&p);
	s.worker ^= 1;
	CU_ASSERT_EQUAL(dp_session_add(rig()->dp, &s), -EINVAL);
	s = peer_session(&p);
	rig_add(&s);
	CU_ASSERT_EQUAL(dp_child_del(rig()->dp, p.child), -EBUSY);
	s.conn++;
	CU_ASSERT_EQUAL(dp_session_update(rig()->dp, &s), -EINVAL);
	CU_ASSERT_EQUAL(dp_session_del(rig()->dp, SID, GEN, NULL), 0);
	CU_ASSERT_EQUAL(dp_child_del(rig()->dp, p.child), 0);
	rig_close();
}

/* ---- sizes and ways ---- */

/* Puts two frames' fragments together again. */
static void join(struct bytes *whole)
{
	const struct bytes *a = &rig()->frames[0].d, *b = &rig()->frames[1].d;

	*whole = *a;
	CU_ASSERT_EQUAL(get_be16(a->b + FRAME_IP + 4), get_be16(b->b + FRAME_IP + 4));
	CU_ASSERT_EQUAL(get_be16(b->b + FRAME_IP + 6) * 8u, a->len - FRAME_UDP);
	put(whole, b->b + FRAME_UDP, b->len - FRAME_UDP);
	put_be16(whole->b + FRAME_IP + 2, (uint16_t)(whole->len - FRAME_IP));
	put_be16(whole->b + FRAME_IP + 6, 0);
	ip4_fix(whole, FRAME_IP);
}

/* What the link does not take is cut outside of the SA, with or without DF of the session. */
static void test_outer_fragments(void)
{
	struct bytes inner = {0}, whole = {0};
	struct dp_session s;
	struct peer p;
	struct pair q;

	for (int df = 0; df < 2; df++) {
		rig_open(NULL);
		peer_init(&p);
		p.encap = true;
		p.tunnel_mode = df == 0;
		peer_up(&p, &q);
		s = peer_session(&p);
		s.outer_df = df != 0;
		s.mtu = 1490;
		rig_update(&s);
		put_down(SUB, 1470, 3); /* as large as the session's MTU */
		rig_turn();
		CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 2);
		CU_ASSERT_TRUE(rig()->frames[0].d.len <= FRAME_IP + 1500);
		join(&whole);
		peer_opens(&whole, &p, &q, &inner);
		CU_ASSERT_EQUAL(inner.len, DATA + 10u + 1490);
		pair_free(&q);
		rig_close();
	}
}

/*
 * The MTU that control reckons for any link inside ESP (RFC 3193 3.2): with the longest suite and numbered
 * messages it leaves in one piece, and one byte more would not.
 */
static void test_mtu(void)
{
	static const struct esp_suite longest = {ESP_AES_CBC, ESP_HMAC_SHA512_256, 32, 0};
	struct dp_session s;
	struct peer p;
	struct pair q;

	for (int tunnel_mode = 0; tunnel_mode < 2; tunnel_mode++) {
		uint16_t mtu = tunnel_mode ? 1364 : 1384;

		rig_open(NULL);
		peer_init(&p);
		p.suite = longest;
		p.tunnel_mode = tunnel_mode != 0;
		p.encap = true;
		peer_up(&p, &q);
		s = peer_session(&p);
		s.sequencing = true;
		rig_update(&s);
		put_down(SUB, (uint16_t)(mtu - 20), 1);
		rig_turn();
		CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
		CU_ASSERT_TRUE(rig()->frames[0].d.len <= FRAME_IP + 1500);
		put_down(SUB, (uint16_t)(mtu - 19), 2);
		rig_turn();
		CU_ASSERT_EQUAL(rig()->n_frames, 3);
		pair_free(&q);
		rig_close();
	}
}

static void test_inner_fragments(void)
{
	struct bytes inner = {0};
	struct dp_session s;
	struct peer p;
	struct pair q;

	rig_open(NULL);
	peer_init(&p);
	peer_up(&p, &q);
	s = peer_session(&p);
	s.mtu = 600;
	rig_update(&s);
	put_down(SUB, 40, 1);
	put_down(SUB, 1000, 2);
	put_down(SUB, 40, 3);
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 4);
	for (uint32_t i = 0; i < 4; i++) { /* in their order */
		CU_ASSERT_EQUAL(peer_opens_nr(i, &p, &q, &inner), 2);
		CU_ASSERT_EQUAL(get_be16(inner.b + DATA + 10 + 4), i == 0 ? 1 : i == 3 ? 3 : 2);
	}
	pair_free(&q);
	rig_close();
}

/* The outer address is routed, and the inner one is not (E7): that would go to the world. */
static void test_route(void)
{
	const struct endpoint us = {ipaddr_v4(LNS), 1701}, they = {ipaddr_v4(PEER_INNER), 1701};
	struct endpoint outer = {ipaddr_v4(BLACKHOLE), 4500}, local = {ipaddr_v4(LNS), 4500};
	const uint8_t bytes[4] = {0};
	struct peer p;
	struct pair q;

	rig_open(NULL);
	peer_init(&p);
	p.encap = true;
	peer_up(&p, &q);
	CU_ASSERT_EQUAL(dp_sa_update(rig()->dp, q.out_id, &local, &outer, true), 0);
	put_down(SUB, 40, 1);
	CU_ASSERT_EQUAL(dp_send_udp(rig()->dp, &us, &they, p.child, bytes, 4), 0);
	rig_turn();
	rig_mark();
	put_down(SUB, 40, 1);
	CU_ASSERT_EQUAL(dp_send_udp(rig()->dp, &us, &they, p.child, bytes, 4), 0);
	CU_ASSERT_EQUAL(dp_send_ppp(rig()->dp, SID, GEN, bytes, 4), 0);
	rig_clear();
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_L2TP_NO_ROUTE), 3);
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	/* And where the world is the way: by the core, to the gateway. */
	outer.addr = ipaddr_v4(WORLD);
	CU_ASSERT_EQUAL(dp_sa_update(rig()->dp, q.out_id, &local, &outer, true), 0);
	CU_ASSERT_EQUAL(dp_send_udp(rig()->dp, &us, &they, p.child, bytes, 4), 0);
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(rig()->frames[0].port, 1);
	CU_ASSERT_EQUAL(get_be32(rig()->frames[0].d.b + FRAME_IP + 16), WORLD);
	pair_free(&q);
	rig_close();
}

static void test_no_room(void)
{
	struct dp_session_stats st;
	struct bytes frame;
	struct rte_mbuf *m;
	struct peer p;
	struct pair q;

	rig_open(NULL);
	peer_init(&p);
	peer_up(&p, &q);
	eth_ip4(&frame, IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 9});
	m = dp_alloc(rig()->dp, frame.len);
	m->data_off = 30; /* enough for L2TP, but not for ESP */
	memcpy(rte_pktmbuf_append(m, (uint16_t)frame.len), frame.b, frame.len);
	rig_put_mbuf(1, 0, m);
	m = dp_alloc(rig()->dp, frame.len);
	m->data_off = (uint16_t)(m->buf_len - frame.len - 3); /* nor behind it */
	memcpy(rte_pktmbuf_append(m, (uint16_t)frame.len), frame.b, frame.len);
	rig_put_mbuf(1, 0, m);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_NO_HEADROOM), 2);
	CU_ASSERT_EQUAL(dp_session_stats(rig()->dp, SID, GEN, &st), 0);
	CU_ASSERT_EQUAL(st.tx_discards, 2);
	CU_ASSERT_EQUAL(sa_stats(q.out_id).packets, 0);
	pair_free(&q);
	rig_close();
}

/* The largest packets that control and ports can give have room for all headers. */
static void test_largest(void)
{
	static const struct {
		size_t len;
		uint32_t frames; /* of a 1500 byte link */
	} rows[] = {
	        {1300, 1}, {1400, 2}, {1900, 2}, {1980, 2},  {2000, 2},
	        {2030, 2}, {2048, 2}, {4000, 3}, {10100, 7},
	};
	const struct endpoint us = {ipaddr_v4(LNS), 1701}, they = {ipaddr_v4(PEER_INNER), 1701};
	uint8_t bytes[10100] = {0};
	struct peer p;
	struct pair q;

	for (size_t i = 0; i < N_ROWS(rows); i++) {
		rig_open(NULL);
		peer_init(&p);
		p.suite = suite_cbc;
		p.tunnel_mode = p.encap = true;
		peer_up(&p, &q);
		CU_ASSERT_EQUAL(dp_send_udp(rig()->dp, &us, &they, p.child, bytes, rows[i].len), 0);
		rig_turn();
		CU_ASSERT_EQUAL(rig()->n_frames, rows[i].frames);
		pair_free(&q);
		rig_close();
	}
}

/* ---- among others ---- */

static void test_mixed(void)
{
	struct dp_session plain = *rig_session();
	uint32_t n_plain = 0, n_esp = 0;
	struct bytes inner = {0};
	struct peer p;
	struct pair q;

	rig_open(NULL);
	peer_init(&p);
	peer_up(&p, &q);
	plain.session_id = SID2;
	plain.peer_ip = SUB2;
	rig_add(&plain);
	for (uint16_t i = 0; i < 20; i++) {
		put_down(SUB, 40, i);
		put_down(SUB2, 41, i);
		put_down(LAC, 42, i);
	}
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 60);
	for (uint32_t i = 0; i < 60; i++) {
		const struct bytes *d = &rig()->frames[i].d;

		if (d->b[FRAME_IP + 9] == 50) {
			peer_opens(d, &p, &q, &inner);
			check_data(&inner, (uint16_t)n_esp++);
		} else if (d->len == FRAME_UDP + 8 + 10 + 61) {
			CU_ASSERT_EQUAL(get_be16(d->b + FRAME_UDP + 8 + 10 + 4), n_plain++);
		}
	}
	CU_ASSERT_EQUAL(n_esp, 20);
	CU_ASSERT_EQUAL(n_plain, 20);
	pair_free(&q);
	rig_close();
}

/* From one peer's subscriber to another's, both in SAs, of different workers. */
static void test_hairpin(void)
{
	struct bytes inner = {0};
	struct dp_session s;
	struct peer a, b;
	struct pair qa, qb;

	rig_open(NULL);
	peer_init(&a);
	peer_up(&a, &qa);
	peer_init(&b);
	b.c.conn = CONN + 1;
	b.c.worker = 0;
	b.encap = b.tunnel_mode = true;
	peer_add(&b);
	pair_up(&qb, &b);
	s = peer_session(&b);
	s.session_id = SID2;
	s.peer_ip = SUB2;
	rig_add(&s);
	peer_put_data(&a, &qa, SUB2);
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(peer_opens_nr(0, &b, &qb, &inner), 2);
	CU_ASSERT_EQUAL(inner.b[DATA + 10 + 8], 63);
	pair_free(&qa);
	pair_free(&qb);
	rig_close();
}

static void test_next_hop_held(void)
{
	const uint8_t mac[6] = {0x02, 0xaa, 0, 0, 0, 0x10};
	struct bytes inner = {0};
	struct peer p;
	struct pair q;

	rig_open(NULL);
	peer_init(&p);
	peer_up(&p, &q);
	CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, IF_LAC, LAC, NULL), 0);
	rig_turn();
	put_down(SUB, 40, 9);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_EQUAL(dp_neigh_set(rig()->dp, IF_LAC, LAC, mac), 0);
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	peer_opens(&rig()->frames[0].d, &p, &q, &inner);
	check_data(&inner, 9);
	pair_free(&q);
	rig_close();
}

static CU_TestInfo tests[] = {
        {"every form", test_forms},
        {"control's frames and messages", test_control_frames},
        {"messages refused", test_send_refused},
        {"never in the clear", test_never_clear},
        {"a session's child", test_session_child},
        {"fragments outside", test_outer_fragments},
        {"MTU inside ESP", test_mtu},
        {"fragments inside", test_inner_fragments},
        {"the outer route", test_route},
        {"no room", test_no_room},
        {"largest packets", test_largest},
        {"mixed vector", test_mixed},
        {"subscriber to subscriber", test_hairpin},
        {"next hop held", test_next_hop_held},
        CU_TEST_INFO_NULL,
};

CU_TestInfo *esp_down_tests(void)
{
	return tests;
}
