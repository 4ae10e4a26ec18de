/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Upstream through an SA, and everything that is wrong with such packets. */
#include "dataplane/esp_rig.h"

#include <string.h>

#define N_ROWS(t) (sizeof(t) / sizeof((t)[0]))
#define CTRL      0xc802
#define MF        0x2000

static void open_usual(struct peer *p, struct pair *q)
{
	rig_open(NULL);
	peer_init(p);
	peer_up(p, q);
}

static void close_usual(struct pair *q)
{
	pair_free(q);
	rig_close();
}

/* Frame i out is the packet, one hop older. */
static void forwarded(uint32_t i, const struct bytes *packet)
{
	const struct rig_frame *f = &rig()->frames[i];

	CU_ASSERT_FATAL(i < rig()->n_frames);
	CU_ASSERT_EQUAL(f->port, 1);
	CU_ASSERT_EQUAL_FATAL(f->d.len, FRAME_IP + packet->len);
	CU_ASSERT_EQUAL(f->d.b[FRAME_IP + 8], packet->b[8] - 1);
	CU_ASSERT_EQUAL(memcmp(f->d.b + FRAME_IP + 12, packet->b + 12, packet->len - 12), 0);
}

static void dropped(enum dp_drop reason, uint64_t n)
{
	CU_ASSERT_EQUAL(rig_drops(reason), n);
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	rig_law();
}

/* ---- what passes ---- */

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

static void test_forms(void)
{
	for (size_t i = 0; i < N_ROWS(forms); i++) {
		struct dp_session_stats st;
		struct bytes packet, inner;
		struct peer p;
		struct pair q;

		rig_open(NULL);
		peer_init(&p);
		p.tunnel_mode = forms[i].tunnel_mode;
		p.encap = forms[i].encap;
		p.esn = forms[i].esn;
		p.suite = *forms[i].suite;
		peer_up(&p, &q);
		for (int k = 0; k < 20; k++) {
			peer_data(&inner, &p, WORLD, &packet);
			peer_put(&p, &q, &inner);
		}
		rig_turn();
		CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 20);
		for (uint32_t k = 0; k < 20; k++)
			forwarded(k, &packet);
		CU_ASSERT_EQUAL(dp_session_stats(rig()->dp, SID, GEN, &st), 0);
		CU_ASSERT_EQUAL(st.rx_packets, 20);
		CU_ASSERT_EQUAL(sa_stats(q.in_id).packets, 20);
		CU_ASSERT_EQUAL(sa_stats(q.in_id).bytes, 20 * inner.len);
		CU_ASSERT_EQUAL(sa_stats(q.in_id).seq, 20);
		CU_ASSERT_TRUE(sa_stats(q.in_id).used);
		CU_ASSERT_TRUE(sa_stats(q.in_id).idle_ms < 10000);
		CU_ASSERT_EQUAL(events(q.in_id, DP_SA_FIRST), 1);
		close_usual(&q);
	}
}

/* Control knows tunnels by the inner addresses, whatever the NAT has made of the outer ones (E7). */
static void test_control(void)
{
	const struct endpoint us = {ipaddr_v4(LNS), 1701}, they = {ipaddr_v4(PEER_INNER), 1701};
	const struct rig_punt *t = &rig()->punts[0];
	struct bytes avp = {0}, inner;
	struct peer p;
	struct pair q;

	rig_open(NULL);
	peer_init(&p);
	p.encap = true;
	peer_up(&p, &q);
	CU_ASSERT_EQUAL(dp_tunnel_add(rig()->dp, TID, &us, &they, CONN), 0);
	peer_put_data(&p, &q, WORLD); /* the first packet's event out of the way */
	rig_turn();
	hex_make(&avp, "8008 0000 0000 0006");
	for (int known = 0; known < 2; known++) {
		rig_clear();
		/* Its UDP checksum is for other addresses than ours: NAT (RFC 3948 3.1.2). */
		peer_message(&inner, &p,
		             &(struct l2tpspec){.flags = CTRL,
		                                .zero_ids = true,
		                                .tid = known != 0 ? TID : 0,
		                                .body = &avp,
		                                .sum = SUM_WRONG});
		peer_put(&p, &q, &inner);
		rig_turn();
		CU_ASSERT_EQUAL_FATAL(rig()->n_punts, 1);
		CU_ASSERT_EQUAL(t->p.class, known != 0 ? DP_PUNT_L2TP : DP_PUNT_L2TP_NEW);
		CU_ASSERT_EQUAL(t->p.conn, CONN);
		CU_ASSERT_EQUAL(t->p.ifidx, IF_LAC);
		CU_ASSERT_TRUE(endpoint_eq(&t->p.src, &they));
		CU_ASSERT_TRUE(endpoint_eq(&t->p.dst, &us));
		CU_ASSERT_EQUAL(t->d.len, 20);
		CU_ASSERT_EQUAL(get_be16(t->d.b), CTRL);
	}
	close_usual(&q);
}

static void test_checksum(void)
{
	struct bytes packet = {0}, body = {0}, inner, frame = {0}, esp = {0};
	struct peer p;
	struct pair q;

	rig_open(NULL);
	peer_init(&p);
	p.encap = true;
	peer_up(&p, &q);
	ip4_make(&packet, &(struct ipspec){.src = SUB, .dst = WORLD, .payload = 9});
	ppp_make(&body, "21", &packet);
	peer_message(&inner, &p, &(struct l2tpspec){.flags = 2, .body = &body, .sum = SUM_WRONG});
	peer_esp(&esp, &p, &q, &inner);
	peer_wrap(&frame, &p, &esp);
	put_be16(frame.b + FRAME_UDP + 6, 0xbad0); /* nor is the outer one looked at */
	rig_put(0, 0, &frame);
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	forwarded(0, &packet);
	close_usual(&q);
}

/* UDP's length ends the message, and bytes behind it do no harm. */
static void test_lengths(void)
{
	struct bytes packet, inner;
	struct peer p;
	struct pair q;

	for (int tunnel_mode = 0; tunnel_mode < 2; tunnel_mode++) {
		rig_open(NULL);
		peer_init(&p);
		p.tunnel_mode = tunnel_mode != 0;
		peer_up(&p, &q);
		peer_data(&inner, &p, WORLD, &packet);
		put32(&inner, 0xdeadbeef);
		peer_put(&p, &q, &inner);
		rig_turn();
		CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
		forwarded(0, &packet);
		close_usual(&q);
	}
}

static void test_ip_options(void)
{
	struct bytes packet, inner, esp = {0}, frame;
	struct peer p;
	struct pair q;

	open_usual(&p, &q);
	peer_data(&inner, &p, WORLD, &packet);
	peer_esp(&esp, &p, &q, &inner);
	eth_ip4(&frame, IF_LAC,
	        &(struct ipspec){.src = LAC,
	                         .dst = LNS,
	                         .proto = 50,
	                         .n_options = 4,
	                         .options = (const uint8_t *)"\x94\x04\0\0",
	                         .payload = (uint16_t)esp.len,
	                         .bytes = esp.b});
	put32(&frame, 0); /* Ethernet's padding */
	rig_put(0, 0, &frame);
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	forwarded(0, &packet);
	close_usual(&q);
}

/* The frame's packet in two pieces, each by another queue. */
static void put_cut(const struct bytes *frame, uint16_t at)
{
	for (int k = 1; k >= 0; k--) {
		uint16_t from = k == 0 ? 0 : at;
		uint16_t to = k == 0 ? at : (uint16_t)(frame->len - FRAME_UDP);
		struct bytes f = {0};

		put(&f, frame->b, FRAME_UDP);
		put(&f, frame->b + FRAME_UDP + from, (size_t)(to - from));
		put_be16(f.b + FRAME_IP + 2, (uint16_t)(20 + to - from));
		put_be16(f.b + FRAME_IP + 6, (uint16_t)(from / 8 | (k == 0 ? MF : 0)));
		ip4_fix(&f, FRAME_IP);
		rig_put(0, (uint16_t)k, &f);
	}
}

static void test_fragments(void)
{
	struct bytes packet, inner, esp = {0}, frame;
	struct peer p;
	struct pair q;

	for (int encap = 0; encap < 2; encap++) {
		rig_open(NULL);
		peer_init(&p);
		p.encap = encap != 0;
		peer_up(&p, &q);
		peer_data(&inner, &p, WORLD, &packet);
		peer_esp(&esp, &p, &q, &inner);
		peer_wrap(&frame, &p, &esp);
		put_cut(&frame, 48);
		rig_turn();
		CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
		forwarded(0, &packet);
		close_usual(&q);
	}
}

static void test_vlan(void)
{
	struct bytes packet, inner, esp = {0}, frame;
	struct peer p;
	struct pair q;

	open_usual(&p, &q);
	peer_data(&inner, &p, WORLD, &packet);
	peer_esp(&esp, &p, &q, &inner);
	eth_ip4(&frame, IF_LAC_VLAN,
	        &(struct ipspec){.src = LAC_VLAN,
	                         .dst = LNS_VLAN,
	                         .proto = 50,
	                         .payload = (uint16_t)esp.len,
	                         .bytes = esp.b});
	rig_put(0, 0, &frame);
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	forwarded(0, &packet);
	close_usual(&q);
}

/* One vector of everything: each packet has its own fate. */
static void test_mixed(void)
{
	struct dp_session plain = *rig_session();
	struct bytes inner, esp = {0}, bad, packet = {0}, body = {0}, clear = {0}, transit;
	struct peer p;
	struct pair q;

	open_usual(&p, &q);
	plain.session_id = SID2;
	plain.peer_ip = SUB2;
	rig_add(&plain);
	ip4_make(&packet, &(struct ipspec){.src = SUB2, .dst = WORLD, .payload = 5});
	ppp_make(&body, "21", &packet);
	l2tp_make(&clear, &(struct l2tpspec){.flags = 2, .sid = SID2, .body = &body});
	eth_ip4(&transit, IF_LAC, &(struct ipspec){.src = LAC, .dst = WORLD, .payload = 7});
	for (int i = 0; i < 7; i++) {
		peer_put_data(&p, &q, WORLD);
		rig_put(0, 0, &clear);
		peer_data(&inner, &p, WORLD, NULL);
		peer_esp(&esp, &p, &q, &inner);
		esp.b[esp.len - 1] ^= 1;
		peer_wrap(&bad, &p, &esp);
		rig_put(0, 0, &bad);
		rig_put(0, 0, &transit);
	}
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 21);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_ESP_AUTH), 7);
	CU_ASSERT_EQUAL(sa_stats(q.in_id).auth_errors, 7);
	CU_ASSERT_EQUAL(sa_stats(q.in_id).packets, 7);
	close_usual(&q);
}

/* ---- sequence numbers ---- */

static void test_replay(void)
{
	struct bytes inner, esp[8] = {{0}}, frame;
	struct peer p;
	struct pair q;

	open_usual(&p, &q);
	peer_data(&inner, &p, WORLD, NULL);
	for (int i = 0; i < 8; i++)
		peer_esp(&esp[i], &p, &q, &inner);
	for (int i = 7; i >= 0; i--) { /* the wrong way round, and each twice in one burst */
		peer_wrap(&frame, &p, &esp[i]);
		rig_put(0, 0, &frame);
		rig_put(0, 0, &frame);
	}
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 8);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_ESP_REPLAY), 8);
	rig_put(0, 0, &frame); /* and once more, later */
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_ESP_REPLAY), 9);
	CU_ASSERT_EQUAL(sa_stats(q.in_id).replays, 9);
	for (int i = 0; i < 100; i++)
		peer_put_data(&p, &q, WORLD);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 108);
	rig_clear();
	rig_mark();
	peer_wrap(&frame, &p, &esp[7]); /* older than the window */
	rig_put(0, 0, &frame);
	rig_turn();
	dropped(DP_DROP_ESP_REPLAY, 1);
	close_usual(&q);
}

/* ---- bytes that were changed or cut ---- */

static void test_tampered(void)
{
	const struct esp_suite *const suites[] = {&suite_gcm, &suite_cbc, &suite_null};

	for (size_t s = 0; s < N_ROWS(suites); s++) {
		struct bytes inner, esp = {0}, frame;
		struct peer p;
		struct pair q;

		rig_open(NULL);
		peer_init(&p);
		p.suite = *suites[s];
		peer_up(&p, &q);
		peer_data(&inner, &p, WORLD, NULL);
		peer_esp(&esp, &p, &q, &inner);
		for (size_t i = 4; i < esp.len; i++) {
			esp.b[i] ^= (uint8_t)(1u << i % 8);
			peer_wrap(&frame, &p, &esp);
			esp.b[i] ^= (uint8_t)(1u << i % 8);
			rig_put(0, 0, &frame);
		}
		rig_turn();
		dropped(DP_DROP_ESP_AUTH, esp.len - 4);
		CU_ASSERT_EQUAL(events(q.in_id, DP_SA_FIRST), 0);
		CU_ASSERT_FALSE(sa_stats(q.in_id).used);
		/* None of them has moved the window: the packet itself passes. */
		peer_wrap(&frame, &p, &esp);
		rig_put(0, 0, &frame);
		rig_turn();
		CU_ASSERT_EQUAL(rig()->n_frames, 1);
		close_usual(&q);
	}
}

static void test_truncated(void)
{
	struct bytes inner, esp = {0}, frame;
	struct peer p;
	struct pair q;
	size_t n;

	for (int encap = 0; encap < 2; encap++) {
		rig_open(NULL);
		peer_init(&p);
		p.encap = encap != 0;
		p.suite = suite_cbc;
		peer_up(&p, &q);
		peer_data(&inner, &p, WORLD, NULL);
		peer_esp(&esp, &p, &q, &inner);
		n = esp.len;
		while (esp.len > 0) {
			esp.len--;
			peer_wrap(&frame, &p, &esp);
			rig_put(0, 0, &frame);
		}
		rig_turn();
		CU_ASSERT_EQUAL(rig()->n_frames, 0);
		/* One byte of an SPI that begins with 0xff is a keepalive. */
		CU_ASSERT_EQUAL(rig_drops(DP_DROP_ESP_SHORT) + rig_drops(DP_DROP_ESP_AUTH) +
		                        rig_drops(DP_DROP_NATT_KEEPALIVE),
		                n);
		CU_ASSERT_EQUAL(rig_drops(DP_DROP_NATT_KEEPALIVE), encap && q.in.spi >> 24 == 0xff);
		CU_ASSERT_TRUE(rig_drops(DP_DROP_ESP_SHORT) > 8 + 16 + 12);
		close_usual(&q);
	}
}

static CU_TestInfo tests[] = {
        {"every form", test_forms},
        {"control messages", test_control},
        {"checksums", test_checksum},
        {"lengths", test_lengths},
        {"IP options outside", test_ip_options},
        {"fragments outside", test_fragments},
        {"sub-interface", test_vlan},
        {"mixed vector", test_mixed},
        {"replayed and reordered", test_replay},
        {"tampered", test_tampered},
        {"truncated", test_truncated},
        CU_TEST_INFO_NULL,
};

CU_TestInfo *esp_up_tests(void)
{
	return tests;
}
