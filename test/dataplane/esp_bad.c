/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Packets that come through an SA and do not belong there, and what comes to its ports. */
#include "dataplane/esp_rig.h"

#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define N_ROWS(t) (sizeof(t) / sizeof((t)[0]))
#define CTRL      0xc802
#define MF        0x2000
#define TID2      0x0202

static void open_with(struct peer *p, struct pair *q, bool tunnel_mode, bool encap)
{
	rig_open(NULL);
	peer_init(p);
	p->tunnel_mode = tunnel_mode;
	p->encap = encap;
	p->suite = suite_null; /* so that a test can make what lib/esp never sends */
	peer_up(p, q);
}

static void close_usual(struct pair *q)
{
	pair_free(q);
	rig_close();
}

static void dropped(enum dp_drop reason, uint64_t n)
{
	CU_ASSERT_EQUAL(rig_drops(reason), n);
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	rig_law();
}

/* ---- SPIs ---- */

static void test_spi(void)
{
	struct bytes inner, esp = {0}, frame;
	const uint32_t strange[] = {0, 1, 255, 256, 0xffffffff, 0x80000040};
	struct peer p;
	struct pair q;

	open_with(&p, &q, false, false);
	peer_data(&inner, &p, WORLD, NULL);
	peer_esp(&esp, &p, &q, &inner);
	for (size_t i = 0; i < N_ROWS(strange); i++) {
		put_be16(esp.b, (uint16_t)(strange[i] >> 16));
		put_be16(esp.b + 2, (uint16_t)strange[i]);
		peer_wrap(&frame, &p, &esp);
		rig_put(0, 0, &frame);
	}
	for (int bit = 0; bit < 32; bit++) { /* another worker, slot or generation */
		uint32_t spi = q.in.spi ^ 1u << bit;

		put_be16(esp.b, (uint16_t)(spi >> 16));
		put_be16(esp.b + 2, (uint16_t)spi);
		peer_wrap(&frame, &p, &esp);
		rig_put(0, 0, &frame);
	}
	rig_turn();
	dropped(DP_DROP_ESP_UNKNOWN_SPI, N_ROWS(strange) + 32);
	close_usual(&q);
}

/* ---- right ICV, wrong contents ---- */

/* ESP with NULL and HMAC-SHA1-96 by hand: any trailer. */
static void esp_by_hand(struct bytes *esp, const struct pair *q, uint32_t seq,
                        const struct bytes *body, uint8_t pad_len, uint8_t next)
{
	uint8_t mac[20];
	unsigned n = sizeof(mac);

	esp->len = 0;
	put32(esp, q->in.spi);
	put32(esp, seq);
	put(esp, body->b, body->len);
	put8(esp, pad_len);
	put8(esp, next);
	CU_ASSERT_PTR_NOT_NULL_FATAL(
	        HMAC(EVP_sha1(), q->in.auth_key, q->in.auth_key_len, esp->b, esp->len, mac, &n));
	put(esp, mac, 12);
}

static void test_padding(void)
{
	static const struct {
		enum dp_drop reason;
		const char *body;
		uint8_t pad_len, next;
	} rows[] = {
	        {DP_DROP_ESP_PAD, "0000 0000 0402", 2, 17}, /* 4, 2 is not 1, 2 */
	        {DP_DROP_ESP_PAD, "0000 0000 0000 0000 0000", 200, 17},
	        {DP_DROP_ESP_DUMMY, "0000 0000 0102", 2, 59},
	        {DP_DROP_ESP_SELECTOR, "0000 0000 0102", 2, 17}, /* no UDP header */
	        {DP_DROP_ESP_SELECTOR, "06a5 06a5 000e 0000 0002 0101 1001", 0, 6},
	};
	struct bytes body = {0}, esp = {0}, frame;
	struct dp_sa_stats st;
	struct peer p;
	struct pair q;

	open_with(&p, &q, false, false);
	for (uint32_t i = 0; i < N_ROWS(rows); i++) {
		rig_mark();
		hex_make(&body, rows[i].body);
		esp_by_hand(&esp, &q, i + 1, &body, rows[i].pad_len, rows[i].next);
		peer_wrap(&frame, &p, &esp);
		rig_put(0, 0, &frame);
		rig_turn();
		dropped(rows[i].reason, 1);
	}
	st = sa_stats(q.in_id);
	CU_ASSERT_EQUAL(st.pad_errors, 2);
	CU_ASSERT_EQUAL(st.selector_errors, 2);
	CU_ASSERT_EQUAL(st.seq, N_ROWS(rows));
	close_usual(&q);
}

static void refused(const struct peer *p, struct pair *q, const struct bytes *inner,
                    enum dp_drop reason)
{
	rig_mark();
	peer_put(p, q, inner);
	rig_turn();
	dropped(reason, 1);
}

static void test_transport_selectors(void)
{
	struct bytes good, inner;
	struct peer p;
	struct pair q;

	open_with(&p, &q, false, false);
	peer_data(&good, &p, WORLD, NULL);
	for (int i = 0; i < 6; i++) {
		const struct {
			size_t at;
			uint16_t value;
		} lies[] = {
		        {0, 1702}, {2, 1702}, {2, 500}, {4, 7}, {4, (uint16_t)(good.len + 1)},
		        {4, 0},
		};

		inner = good;
		put_be16(inner.b + lies[i].at, lies[i].value);
		refused(&p, &q, &inner, DP_DROP_ESP_SELECTOR);
	}
	for (uint16_t len = 0; len < 8; len++) {
		inner = good;
		inner.len = len;
		refused(&p, &q, &inner, DP_DROP_ESP_SELECTOR);
	}
	CU_ASSERT_EQUAL(sa_stats(q.in_id).selector_errors, 14);
	/* An IPv4 packet where there should be UDP. */
	p.tunnel_mode = true;
	peer_data(&inner, &p, WORLD, NULL);
	refused(&p, &q, &inner, DP_DROP_ESP_SELECTOR);
	close_usual(&q);
}

static void test_any_port(void)
{
	struct bytes inner, avp = {0};
	struct peer p;
	struct pair q;

	rig_open(NULL);
	peer_init(&p);
	p.c.peer.port = 0;
	peer_up(&p, &q);
	hex_make(&avp, "8008 0000 0000 0001");
	peer_message(
	        &inner, &p,
	        &(struct l2tpspec){.flags = CTRL, .zero_ids = true, .body = &avp, .sport = 49152});
	peer_put(&p, &q, &inner);
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_punts, 2); /* the first packet, besides */
	CU_ASSERT_EQUAL(rig()->punts[1].p.class, DP_PUNT_L2TP_NEW);
	CU_ASSERT_EQUAL(rig()->punts[1].p.src.port, 49152);
	close_usual(&q);
}

static void test_tunnel_selectors(void)
{
	static const struct {
		size_t at;
		uint16_t xor ;
		bool fix; /* the header's checksum afterwards */
	} lies[] = {
	        {12, 1, true}, /* another source */
	        {18, 1, true}, /* another destination */
	        {8, 0x0013, true}, /* another protocol */
	        {6, MF, true}, /* a fragment */
	        {6, 0x0010, true},   {2, 0x4000, true}, /* longer than what is there */
	        {0, 0x2000, false}, /* version 6 */
	        {10, 0x0100, false}, /* checksum */
	        {0, 0x0a00, false}, /* header longer than the packet's own sum says */
	};
	struct bytes good, inner;
	struct peer p;
	struct pair q;

	open_with(&p, &q, true, true);
	peer_data(&good, &p, WORLD, NULL);
	for (size_t i = 0; i < N_ROWS(lies); i++) {
		inner = good;
		put_be16(inner.b + lies[i].at,
		         (uint16_t)(get_be16(inner.b + lies[i].at) ^ lies[i].xor));
		if (lies[i].fix)
			ip4_fix(&inner, 0);
		refused(&p, &q, &inner, DP_DROP_ESP_SELECTOR);
	}
	for (uint16_t len = 0; len < 28; len++) {
		inner = good;
		inner.len = len;
		refused(&p, &q, &inner, DP_DROP_ESP_SELECTOR);
	}
	/* UDP where there should be an IPv4 packet. */
	p.tunnel_mode = false;
	peer_data(&inner, &p, WORLD, NULL);
	refused(&p, &q, &inner, DP_DROP_ESP_SELECTOR);
	close_usual(&q);
}

/* What IKE has found to be encapsulated comes so, and nothing else does. */
static void test_encap(void)
{
	struct bytes inner;
	struct peer p;
	struct pair q;

	for (int encap = 0; encap < 2; encap++) {
		open_with(&p, &q, false, encap != 0);
		peer_data(&inner, &p, WORLD, NULL);
		p.encap = !p.encap;
		refused(&p, &q, &inner, DP_DROP_ESP_SELECTOR);
		CU_ASSERT_EQUAL(sa_stats(q.in_id).selector_errors, 1);
		CU_ASSERT_EQUAL(events(q.in_id, DP_SA_FIRST), 0);
		close_usual(&q);
	}
}

/* ---- L2TP in the wrong place ---- */

static void data_of(struct bytes *inner, const struct peer *p, uint16_t tid, uint16_t sid)
{
	struct bytes packet = {0}, body = {0};

	ip4_make(&packet, &(struct ipspec){.src = SUB, .dst = WORLD, .payload = 3});
	ppp_make(&body, "21", &packet);
	peer_message(inner, p,
	             &(struct l2tpspec){.flags = 2, .tid = tid, .sid = sid, .body = &body});
}

static void test_l2tp(void)
{
	struct bytes inner, frame, body = {0};
	struct dp_session plain = *rig_session();
	struct peer p;
	struct pair q;

	open_with(&p, &q, false, false);
	plain.session_id = SID2;
	plain.peer_ip = SUB2;
	plain.worker = rig()->n_workers == 2 ? 0 : rig()->owner;
	rig_add(&plain);
	/* A plain tunnel's session, here even another worker's: it is not handed there. */
	data_of(&inner, &p, TID, SID2);
	refused(&p, &q, &inner, DP_DROP_L2TP_CONN_MISMATCH);
	data_of(&inner, &p, TID2, SID);
	refused(&p, &q, &inner, DP_DROP_L2TP_TUNNEL_MISMATCH);
	data_of(&inner, &p, TID, 0x4444);
	refused(&p, &q, &inner, DP_DROP_L2TP_NO_SESSION);
	peer_message(&inner, &p, &(struct l2tpspec){.flags = 3, .body = &body});
	refused(&p, &q, &inner, DP_DROP_L2TP_VERSION);
	inner.len = 8;
	put_be16(inner.b + 4, 8);
	refused(&p, &q, &inner, DP_DROP_L2TP_SHORT);
	/* The bound session in the clear, from the same addresses. */
	rig_mark();
	hex_make(&body, "c021");
	l2tp_make(&frame, &(struct l2tpspec){.flags = 2, .src = PEER_INNER, .body = &body});
	rig_put(0, 0, &frame);
	rig_turn();
	dropped(DP_DROP_L2TP_CONN_MISMATCH, 1);
	close_usual(&q);
}

/* Two peers with the same inner addresses (E7): each only has what is its own. */
static void test_other_conn(void)
{
	const struct endpoint us = {ipaddr_v4(LNS), 1701}, they = {ipaddr_v4(PEER_INNER), 1701};
	struct bytes inner, avp = {0};
	struct peer a, b;
	struct pair qa, qb;

	open_with(&a, &qa, false, false);
	peer_init(&b);
	b.c.conn = CONN + 1;
	b.suite = suite_null;
	peer_add(&b);
	pair_up(&qb, &b);
	CU_ASSERT_EQUAL(dp_tunnel_add(rig()->dp, TID, &us, &they, CONN), 0);
	data_of(&inner, &b, TID, SID);
	refused(&b, &qb, &inner, DP_DROP_L2TP_CONN_MISMATCH);
	hex_make(&avp, "8008 0000 0000 0006");
	peer_message(&inner, &b,
	             &(struct l2tpspec){.flags = CTRL, .zero_ids = true, .tid = TID, .body = &avp});
	refused(&b, &qb, &inner, DP_DROP_L2TP_CONTROL_PEER);
	rig_clear();
	peer_put(&a, &qa, &inner);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_punts, 2);
	pair_free(&qb);
	close_usual(&qa);
}

/* ---- IKE's ports ---- */

static void put_udp(uint16_t port, const char *hex)
{
	struct bytes u = {0}, body = {0}, frame;

	hex_make(&body, hex);
	put16(&u, port);
	put16(&u, port);
	put16(&u, (uint16_t)(8 + body.len));
	put16(&u, 0);
	put(&u, body.b, body.len);
	eth_ip4(&frame, IF_LAC,
	        &(struct ipspec){.src = LAC, .dst = LNS, .payload = (uint16_t)u.len, .bytes = u.b});
	rig_put(0, 0, &frame);
}

static void test_ports(void)
{
	static const char *const to_charon[] = {"00000000", "00000000 0102030405060708"};

	rig_open(NULL);
	put_udp(500, "0102030405060708 00");
	for (size_t i = 0; i < N_ROWS(to_charon); i++)
		put_udp(4500, to_charon[i]);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_punts, 3);
	for (uint32_t i = 0; i < rig()->n_punts; i++)
		CU_ASSERT_EQUAL(rig()->punts[i].p.class, DP_PUNT_TWIN);
	rig_clear();
	put_udp(4500, "ff");
	rig_turn();
	dropped(DP_DROP_NATT_KEEPALIVE, 1);
	put_udp(4500, "");
	put_udp(4500, "fe");
	put_udp(4500, "ff ff");
	put_udp(4500, "00 00 00");
	put_udp(4500, "01 00 00 00 00");
	rig_turn();
	dropped(DP_DROP_ESP_SHORT, 5);
	CU_ASSERT_EQUAL(rig()->n_punts, 0);
	rig_close();
}

static void test_nat_length(void)
{
	struct bytes frame;

	rig_open(NULL);
	for (uint16_t len = 0; len < 40; len++) {
		uint8_t u[12] = {0x11, 0x94, 0x11, 0x94, 0, (uint8_t)len, 0, 0, 1, 2, 3, 4};

		eth_ip4(&frame, IF_LAC,
		        &(struct ipspec){.src = LAC, .dst = LNS, .payload = 12, .bytes = u});
		rig_put(0, 0, &frame);
	}
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_ESP_SHORT), 5);
	dropped(DP_DROP_UDP_LENGTH, 35);
	rig_close();
}

/* A flood of other things to our addresses does not shut IKE out, and IKE does not shut out ARP. */
static void test_ike_share(void)
{
	struct dp_conf conf = rig_conf();
	struct bytes ping, arp = {0};
	uint32_t n;

	conf.punt_rate[DP_PUNT_TWIN] = 100; /* a burst of 21; IKE's own is 11 */
	rig_open(&conf);
	hex_make(&arp, "ffffffffffff 02ee00000009 0806 0001");
	eth_ip4(&ping, IF_LAC, &(struct ipspec){.src = LAC, .dst = LNS, .proto = 1, .payload = 8});
	for (int i = 0; i < 100; i++)
		rig_put(0, 0, &ping);
	for (int i = 0; i < 100; i++)
		rig_put(0, 0, &arp);
	rig_turn();
	rig_clear();
	for (int i = 0; i < 100; i++)
		put_udp(500, "0102030405060708");
	rig_turn();
	n = rig()->n_punts;
	CU_ASSERT_TRUE(n >= 11 && n < 60);
	CU_ASSERT_EQUAL(get_be16(rig()->punts[0].d.b + FRAME_UDP + 2), 500);
	rig_close();
}

static void put_in_sa(const struct peer *p, struct pair *q, uint16_t tid)
{
	struct bytes inner, avp = {0};

	hex_make(&avp, tid == 0 ? "8008 0000 0000 0001" : "8008 0000 0000 0006");
	peer_message(
	        &inner, p,
	        &(struct l2tpspec){.flags = 0xc802, .zero_ids = true, .tid = tid, .body = &avp});
	peer_put(p, q, &inner);
}

/*
 * Requests for tunnels of those who have authenticated do not wait for those who have not; and one of them
 * does not keep control from the others.
 */
static void test_peer_share(void)
{
	struct dp_conf conf = rig_conf();
	struct bytes avp = {0}, frame;
	struct peer p;
	struct pair q;
	uint32_t n;

	conf.punt_rate[DP_PUNT_L2TP_NEW] = 20; /* a burst of 5 */
	conf.punt_rate[DP_PUNT_L2TP] = 1200; /* a tunnel's part is 75, a burst of 16 */
	rig_open(&conf);
	peer_init(&p);
	peer_add(&p);
	pair_up(&q, &p);
	CU_ASSERT_EQUAL(dp_tunnel_add(rig()->dp, TID, &p.c.local, &p.c.peer, CONN), 0);
	CU_ASSERT_EQUAL(dp_tunnel_add(rig()->dp, TID + 1, &p.c.local, &p.c.peer, CONN), 0);
	hex_make(&avp, "8008 0000 0000 0001");
	for (uint16_t i = 0; i < 200; i++) {
		l2tp_make(&frame, &(struct l2tpspec){.flags = 0xc802,
		                                     .zero_ids = true,
		                                     .body = &avp,
		                                     .src = IP(192, 0, 2, 20) + i});
		rig_put(0, 0, &frame);
	}
	rig_turn();
	CU_ASSERT_TRUE(rig()->n_punts < 50);
	rig_clear();
	put_in_sa(&p, &q, 0);
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_punts, 2); /* and the first packet's event */
	CU_ASSERT_EQUAL(rig()->punts[1].p.class, DP_PUNT_L2TP_NEW);
	rig_clear();
	for (int i = 0; i < 100; i++)
		put_in_sa(&p, &q, TID);
	rig_turn();
	n = rig()->n_punts;
	CU_ASSERT_TRUE(n >= 16 && n < 30);
	put_in_sa(&p, &q, TID + 1);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_punts, n + 1);
	pair_free(&q);
	rig_close();
}

static CU_TestInfo tests[] = {
        {"unknown SPI", test_spi},
        {"padding and next header", test_padding},
        {"selectors of transport mode", test_transport_selectors},
        {"any port of the peer", test_any_port},
        {"selectors of tunnel mode", test_tunnel_selectors},
        {"encapsulation", test_encap},
        {"wrong session or tunnel", test_l2tp},
        {"wrong connection", test_other_conn},
        {"ports of IKE", test_ports},
        {"lengths on port 4500", test_nat_length},
        {"IKE's own rate", test_ike_share},
        {"a peer's own rate", test_peer_share},
        CU_TEST_INFO_NULL,
};

CU_TestInfo *esp_bad_tests(void)
{
	return tests;
}
