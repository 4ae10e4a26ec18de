/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Upstream: L2TP data messages of subscribers, and everything that is wrong with them. */
#include "dataplane/rig.h"

#include <string.h>

#define HDR       0x0002
#define L         0x4000
#define S         0x0800
#define O         0x0200
#define P         0x0100
#define FF03      "ff 03 00 21"
#define N_ROWS(t) (sizeof(t) / sizeof((t)[0]))

static void inner(struct bytes *d, uint32_t src, uint32_t dst)
{
	d->len = 0;
	ip4_make(d, &(struct ipspec){.src = src, .dst = dst, .id = 5, .payload = 40});
}

/* The one frame out is the packet, one hop older, to the gateway. */
static void forwarded(const struct bytes *packet)
{
	const struct rig_frame *f = &rig()->frames[0];
	const uint8_t head[] = {2, 0xcc, 0, 0, 0, 0xfe, 2, 0, 0, 0, 0, 2, 8, 0};

	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(f->port, 1);
	CU_ASSERT_EQUAL_FATAL(f->d.len, sizeof(head) + packet->len);
	CU_ASSERT_EQUAL(memcmp(f->d.b, head, sizeof(head)), 0);
	CU_ASSERT_EQUAL(f->d.b[14 + 8], packet->b[8] - 1);
	CU_ASSERT_TRUE(ip4_sum_right(f->d.b + 14));
	CU_ASSERT_EQUAL(memcmp(f->d.b + 14 + 12, packet->b + 12, packet->len - 12), 0);
	rig_clear();
}

static void send_up(const struct l2tpspec *s)
{
	struct bytes frame = {0};

	l2tp_make(&frame, s);
	rig_put(0, 0, &frame);
	rig_turn();
}

/* Every form of header that RFC 2661 3.1 and RFC 1661 allow, and some that peers are known for. */
static const struct {
	const char *name, *ppp;
	struct l2tpspec l2tp;
} forms[] = {
        {"plain", FF03, {.flags = HDR}},
        {"length", FF03, {.flags = HDR | L}},
        {"sequence", FF03, {.flags = HDR | S}},
        {"length and sequence", FF03, {.flags = HDR | L | S, .ns = 9, .nr = 77}},
        {"offset of nothing", FF03, {.flags = HDR | O}},
        {"offset", FF03, {.flags = HDR | O, .offset = 6}},
        {"odd offset", FF03, {.flags = HDR | O, .offset = 3}},
        {"priority", FF03, {.flags = HDR | P}},
        {"all of them", FF03, {.flags = HDR | L | S | O | P, .offset = 8, .ns = 65000}},
        {"reserved bits", FF03, {.flags = HDR | 0x34f0}},
        {"no address and control", "00 21", {.flags = HDR}},
        {"compressed protocol", "ff 03 21", {.flags = HDR | L}},
        {"both compressed", "21", {.flags = HDR}},
        {"no checksum", FF03, {.flags = HDR, .sum = SUM_NONE}},
        {"padded frame", FF03, {.flags = HDR, .pad = 12}},
        {"padded frame, length", FF03, {.flags = HDR | L, .pad = 3}},
};

static void test_forms(void)
{
	struct bytes packet, body = {0};

	rig_open(NULL);
	rig_add(rig_session());
	for (size_t i = 0; i < N_ROWS(forms); i++) {
		struct l2tpspec s = forms[i].l2tp;

		inner(&packet, SUB, WORLD);
		ppp_make(&body, forms[i].ppp, &packet);
		s.body = &body;
		send_up(&s);
		forwarded(&packet);
	}
	rig_close();
}

static void test_length_trims(void)
{
	struct bytes packet, body = {0};

	rig_open(NULL);
	rig_add(rig_session());
	inner(&packet, SUB, WORLD);
	ppp_make(&body, FF03, &packet);
	put32(&body, 0xdeadbeef);
	/* The L2TP length leaves four bytes out; the inner packet knows its own length besides. */
	send_up(&(struct l2tpspec){.flags = HDR | L, .body = &body, .length_add = -4});
	forwarded(&packet);
	/* So does the UDP length. */
	send_up(&(struct l2tpspec){.flags = HDR, .body = &body, .udp_add = -4});
	forwarded(&packet);
	/* And without either the inner length decides. */
	send_up(&(struct l2tpspec){.flags = HDR, .body = &body});
	forwarded(&packet);
	rig_close();
}

static void test_vlan(void)
{
	struct dp_session s = *rig_session();
	struct bytes packet, body = {0};

	rig_open(NULL);
	s.local.addr = ipaddr_v4(LNS_VLAN);
	s.peer.addr = ipaddr_v4(LAC_VLAN);
	rig_add(&s);
	inner(&packet, SUB, WORLD);
	ppp_make(&body, FF03, &packet);
	send_up(&(struct l2tpspec){.flags = HDR,
	                           .body = &body,
	                           .ifidx = IF_LAC_VLAN,
	                           .src = LAC_VLAN,
	                           .dst = LNS_VLAN});
	forwarded(&packet);
	rig_close();
}

/* What is wrong with the message; all start from a good one. */
static const struct {
	enum dp_drop reason;
	struct l2tpspec l2tp;
} bad_messages[] = {
        {DP_DROP_L2TP_VERSION, {.flags = 0x0003}},
        {DP_DROP_L2TP_VERSION, {.flags = 0x0001}},
        {DP_DROP_L2TP_LENGTH, {.flags = HDR | L, .length_add = 1}},
        {DP_DROP_L2TP_LENGTH, {.flags = HDR | L, .length_add = -100}},
        {DP_DROP_L2TP_SHORT, {.flags = HDR | O, .offset = 0}}, /* see body below */
        {DP_DROP_L2TP_NO_SESSION, {.flags = HDR, .sid = 0x4444}},
        {DP_DROP_L2TP_NO_SESSION, {.flags = HDR, .zero_ids = true}},
        {DP_DROP_L2TP_TUNNEL_MISMATCH, {.flags = HDR, .tid = 0x0102}},
        {DP_DROP_L2TP_PEER_MISMATCH, {.flags = HDR, .src = LAC + 1}},
        {DP_DROP_L2TP_PEER_MISMATCH, {.flags = HDR, .sport = 1702}},
        {DP_DROP_L2TP_PEER_MISMATCH, {.flags = HDR, .dst = CORE_US}},
        {DP_DROP_UDP_CHECKSUM, {.flags = HDR, .sum = SUM_WRONG}},
        {DP_DROP_UDP_LENGTH, {.flags = HDR, .udp_add = 1, .sum = SUM_NONE}},
};

static void test_bad_messages(void)
{
	struct bytes packet, body = {0};

	rig_open(NULL);
	rig_add(rig_session());
	for (size_t i = 0; i < N_ROWS(bad_messages); i++) {
		struct l2tpspec s = bad_messages[i].l2tp;
		struct bytes frame = {0};

		inner(&packet, SUB, WORLD);
		ppp_make(&body, FF03, &packet);
		s.body = &body;
		l2tp_make(&frame, &s);
		if (s.flags & O) /* an offset that points behind the datagram */
			put_be16(frame.b + 14 + 28 + 6, 0xfff0);
		if (s.flags & O)
			put_be16(frame.b + 14 + 26, 0);
		rig_mark();
		rig_put(0, 0, &frame);
		rig_turn();
		CU_ASSERT_EQUAL(rig_drops(bad_messages[i].reason), 1);
		CU_ASSERT_EQUAL(rig()->n_frames, 0);
		CU_ASSERT_EQUAL(rig()->n_punts, 0);
		rig_law();
	}
	rig_close();
}

/* Cut after every byte of the largest header: nothing may be read that is not there. */
static void test_truncated(void)
{
	const uint16_t flags[] = {HDR, HDR | L, HDR | S, HDR | L | S | O, HDR | O};
	uint8_t head[16] = {0};

	rig_open(NULL);
	rig_add(rig_session());
	for (size_t f = 0; f < N_ROWS(flags); f++) {
		for (uint8_t len = 0; len < 16; len++) {
			struct bytes frame = {0};
			uint16_t udp_len = (uint16_t)(8 + len);
			uint8_t udp[24] = {0x06, 0xa5, 0x06, 0xa5, 0, (uint8_t)udp_len, 0, 0};

			put_be16(head, flags[f]);
			memcpy(udp + 8, head, len);
			eth_ip4(&frame, IF_LAC,
			        &(struct ipspec){
			                .src = LAC, .dst = LNS, .payload = udp_len, .bytes = udp});
			rig_put(0, 0, &frame);
			rig_turn();
		}
	}
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_TRUE(rig_drops(DP_DROP_L2TP_SHORT) > 20);
	rig_close();
}

static void test_conn(void)
{
	struct dp_session s = *rig_session();
	struct bytes packet, body = {0}, frame = {0};

	rig_open(NULL);
	s.conn = 42;
	rig_add(&s);
	inner(&packet, SUB, WORLD);
	ppp_make(&body, FF03, &packet);
	/* The session lives in a connection: in the clear it takes nothing and sends nothing. */
	send_up(&(struct l2tpspec){.flags = HDR, .body = &body});
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_L2TP_CONN_MISMATCH), 1);
	eth_ip4(&frame, IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 10});
	rig_put(1, 0, &frame);
	CU_ASSERT_EQUAL(dp_send_ppp(rig()->dp, SID, GEN, (const uint8_t *)"\xc0\x21\x09", 3), 0);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_L2TP_NO_SA), 2);
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	rig_close();
}

static void test_checksum_off(void)
{
	struct dp_conf conf = rig_conf();
	struct bytes packet, body = {0};

	conf.verify_l2tp_checksum = false;
	rig_open(&conf);
	rig_add(rig_session());
	inner(&packet, SUB, WORLD);
	ppp_make(&body, FF03, &packet);
	send_up(&(struct l2tpspec){.flags = HDR, .body = &body, .sum = SUM_WRONG});
	forwarded(&packet);
	rig_close();
}

static void test_checksum_by_port(void)
{
	struct bytes packet, body = {0}, frame = {0};
	struct rte_mbuf *m;

	rig_open(NULL);
	rig_add(rig_session());
	inner(&packet, SUB, WORLD);
	ppp_make(&body, FF03, &packet);
	l2tp_make(&frame, &(struct l2tpspec){.flags = HDR, .body = &body, .sum = SUM_WRONG});
	m = dp_alloc(rig()->dp, frame.len);
	memcpy(rte_pktmbuf_append(m, (uint16_t)frame.len), frame.b, frame.len);
	m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	rig_put_mbuf(0, 0, m);
	rig_turn();
	forwarded(&packet);
	rig_close();
}

static void stats(struct dp_session_stats *st)
{
	CU_ASSERT_EQUAL(dp_session_stats(rig()->dp, SID, GEN, st), 0);
}

static void send_seq(uint16_t ns)
{
	struct bytes packet, body = {0};

	inner(&packet, SUB, WORLD);
	ppp_make(&body, FF03, &packet);
	send_up(&(struct l2tpspec){.flags = HDR | S, .body = &body, .ns = ns});
}

static void test_sequence(void)
{
	struct dp_session s = *rig_session();
	struct dp_session_stats st;

	rig_open(NULL);
	s.check_sequence = true;
	rig_add(&s);
	send_seq(0);
	send_seq(1);
	send_seq(1); /* a duplicate */
	send_seq(0); /* old */
	send_seq(5); /* 2, 3, 4 are lost */
	send_seq(3); /* too late */
	CU_ASSERT_EQUAL(rig()->n_frames, 3);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_L2TP_OLD_SEQUENCE), 3);
	stats(&st);
	CU_ASSERT_EQUAL(st.rx_packets, 3);
	CU_ASSERT_EQUAL(st.rx_bytes, 180);
	CU_ASSERT_EQUAL(st.rx_discards, 3);
	CU_ASSERT_EQUAL(st.rx_lost, 3);
	CU_ASSERT_EQUAL(st.rx_out_of_sequence, 3);
	CU_ASSERT_EQUAL(st.nr, 6);
	/* An update keeps the state; without the check old messages pass, counted. */
	s.check_sequence = false;
	rig_update(&s);
	rig_clear();
	send_seq(2);
	CU_ASSERT_EQUAL(rig()->n_frames, 1);
	stats(&st);
	CU_ASSERT_EQUAL(st.nr, 6);
	CU_ASSERT_EQUAL(st.rx_out_of_sequence, 4);
	rig_close();
}

static void test_sequence_wraps(void)
{
	struct dp_session s = *rig_session();

	rig_open(NULL);
	s.check_sequence = true;
	rig_add(&s);
	send_seq(32767);
	send_seq(65534);
	send_seq(65535);
	send_seq(0);
	send_seq(1);
	send_seq(65535);
	CU_ASSERT_EQUAL(rig()->n_frames, 5);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_L2TP_OLD_SEQUENCE), 1);
	rig_close();
}

/* PPP and the subscriber's packet. */
static const struct {
	enum dp_drop reason;
	const char *body;
} bad_bodies[] = {
        {DP_DROP_L2TP_EMPTY, ""},
        {DP_DROP_PPP_SHORT, "ff03"},
        {DP_DROP_PPP_SHORT, "00"},
        {DP_DROP_PPP_SHORT, "ff0300"},
        {DP_DROP_SUB_MALFORMED, "ff030021"},
        {DP_DROP_SUB_MALFORMED, "ff030021 4500"},
        {DP_DROP_SUB_MALFORMED, "21 6500 0014 0000 0000 4011 0000 0a400005 08080808"},
        {DP_DROP_SUB_MALFORMED, "21 4400 0014 0000 0000 4011 0000 0a400005 08080808"},
        {DP_DROP_SUB_MALFORMED, "21 4500 0015 0000 0000 4011 0000 0a400005 08080808"},
        {DP_DROP_SUB_MALFORMED, "21 4500 0013 0000 0000 4011 0000 0a400005 08080808"},
        {DP_DROP_SUB_MALFORMED, "21 4f00 0014 0000 0000 4011 0000 0a400005 08080808"},
        {DP_DROP_SUB_MALFORMED, "21 4500 0014 0000 0000 4011 0000 0a400005 08080808"},
};

static void one_body(const struct bytes *body, enum dp_drop reason)
{
	struct dp_session_stats before, after;

	stats(&before);
	rig_mark();
	send_up(&(struct l2tpspec){.flags = HDR, .body = body});
	CU_ASSERT_EQUAL(rig_drops(reason), 1);
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	stats(&after);
	CU_ASSERT_EQUAL(after.rx_discards, before.rx_discards + 1);
	CU_ASSERT_EQUAL(after.rx_packets, before.rx_packets);
}

static void test_bad_bodies(void)
{
	struct bytes body = {0}, packet;

	rig_open(NULL);
	rig_add(rig_session());
	for (size_t i = 0; i < N_ROWS(bad_bodies); i++) {
		hex_make(&body, bad_bodies[i].body);
		one_body(&body, bad_bodies[i].reason);
	}
	inner(&packet, SUB2, WORLD);
	ppp_make(&body, FF03, &packet);
	one_body(&body, DP_DROP_SUB_SPOOFED);
	inner(&packet, SUB, IP(224, 0, 0, 5));
	ppp_make(&body, FF03, &packet);
	one_body(&body, DP_DROP_SUB_MARTIAN);
	inner(&packet, SUB, IP(127, 0, 0, 1));
	ppp_make(&body, FF03, &packet);
	one_body(&body, DP_DROP_SUB_MARTIAN);
	rig_close();
}

static void test_not_open(void)
{
	struct dp_session s = *rig_session();
	struct bytes body = {0}, packet;

	rig_open(NULL);
	s.open = false;
	rig_add(&s);
	inner(&packet, SUB, WORLD);
	ppp_make(&body, FF03, &packet);
	one_body(&body, DP_DROP_SESS_CLOSED);
	/* Open, but without an address the subscriber may not send either. */
	s.open = true;
	s.peer_ip = 0;
	rig_update(&s);
	inner(&packet, 0, WORLD);
	ppp_make(&body, FF03, &packet);
	one_body(&body, DP_DROP_SUB_SPOOFED);
	s.peer_ip = SUB;
	rig_update(&s);
	inner(&packet, SUB, WORLD);
	ppp_make(&body, FF03, &packet);
	send_up(&(struct l2tpspec){.flags = HDR, .body = &body});
	forwarded(&packet);
	rig_close();
}

static void test_ppp_punt(void)
{
	const char *const frames[] = {
	        "ff03 c021 01 01 0004", "c021 01 01 0004",
	        "ff03 0057 6000 0000",  "fd 1234", /* compressed datagram: control rejects it */
	        "8021 01 01 0004",
	};
	struct dp_session s = *rig_session();
	struct bytes body = {0};

	rig_open(NULL);
	s.open = false; /* control frames do not wait for IP */
	rig_add(&s);
	for (size_t i = 0; i < N_ROWS(frames); i++) {
		const struct rig_punt *t = &rig()->punts[0];

		hex_make(&body, frames[i]);
		send_up(&(struct l2tpspec){.flags = HDR | L, .body = &body, .pad = 7});
		CU_ASSERT_EQUAL_FATAL(rig()->n_punts, 1);
		CU_ASSERT_EQUAL(t->p.class, DP_PUNT_PPP);
		CU_ASSERT_EQUAL(t->p.session_id, SID);
		CU_ASSERT_EQUAL(t->p.gen, GEN);
		CU_ASSERT_EQUAL_FATAL(t->d.len, body.len);
		CU_ASSERT_EQUAL(memcmp(t->d.b, body.b, body.len), 0);
		rig_clear();
	}
	rig_close();
}

static void test_mss_up(void)
{
	struct dp_session s = *rig_session();
	struct bytes packet, body = {0};

	rig_open(NULL);
	s.mss_clamp = 1400;
	rig_add(&s);
	for (int odd = 0; odd < 2; odd++) {
		for (uint16_t mss = 1399; mss <= 1401; mss++) {
			const uint8_t *p = rig()->frames[0].d.b + 14;

			packet.len = 0;
			tcp_syn_make(&packet, SUB, WORLD, mss, odd != 0);
			ppp_make(&body, FF03, &packet);
			send_up(&(struct l2tpspec){.flags = HDR, .body = &body});
			CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
			CU_ASSERT_EQUAL(get_be16(p + 42 + odd), mss < 1400 ? mss : 1400);
			CU_ASSERT_TRUE(tcp_sum_right(p));
			rig_clear();
		}
	}
	rig_close();
}

/* A SYN whose options lie must pass as it is. */
static void test_mss_hostile(void)
{
	const struct {
		size_t at;
		uint8_t value;
	} lies[] = {
	        {41, 0}, {41, 1}, {41, 3}, {41, 255}, {32, 0xf0}, {32, 0x40}, {40, 0}, {33, 0x10},
	};
	struct dp_session s = *rig_session();
	struct bytes packet, body = {0};

	rig_open(NULL);
	s.mss_clamp = 500;
	rig_add(&s);
	for (size_t i = 0; i < N_ROWS(lies); i++) {
		packet.len = 0;
		tcp_syn_make(&packet, SUB, WORLD, 1460, false);
		packet.b[lies[i].at] = lies[i].value;
		ppp_make(&body, FF03, &packet);
		send_up(&(struct l2tpspec){.flags = HDR, .body = &body});
		forwarded(&packet);
	}
	rig_close();
}

static CU_TestInfo tests[] = {
        {"every form of header", test_forms},
        {"lengths trim", test_length_trims},
        {"sub-interface", test_vlan},
        {"bad messages", test_bad_messages},
        {"truncated headers", test_truncated},
        {"binding to a connection", test_conn},
        {"checksum not verified", test_checksum_off},
        {"checksum verified by the port", test_checksum_by_port},
        {"sequence", test_sequence},
        {"sequence wraps", test_sequence_wraps},
        {"bad bodies", test_bad_bodies},
        {"session not open", test_not_open},
        {"PPP control frames", test_ppp_punt},
        {"MSS clamp", test_mss_up},
        {"MSS clamp of lying options", test_mss_hostile},
        CU_TEST_INFO_NULL,
};

CU_TestInfo *up_tests(void)
{
	return tests;
}
