/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Downstream: packets of the world to subscribers. */
#include "dataplane/ip4.h"
#include "dataplane/rig.h"

#include <string.h>

#define N_ROWS(t) (sizeof(t) / sizeof((t)[0]))
#define DF        0x4000
#define MF        0x2000

/* Offsets in a frame of if 0. */
#define OUTER 14
#define UDP   (OUTER + 20)
#define L2TP  (UDP + 8)

static void send_down(const struct ipspec *s)
{
	struct bytes frame = {0};

	eth_ip4(&frame, IF_CORE, s);
	rig_put(1, 0, &frame);
	rig_turn();
}

/* Adds up the UDP checksum of the frame's outer packet; true when right. */
static bool udp_right(const uint8_t *ip)
{
	return ip[20 + 6] == 0 && ip[20 + 7] == 0 ? false : tcp_sum_right(ip);
}

static const struct {
	const char *name, *l2tp; /* expected, 'length' and sequence fields as shown */
	struct dp_session s; /* only the options */
	const char *ppp;
} forms[] = {
        {"plain", "0002 2202 3303", {0}, "ff030021"},
        {"length", "4002 0048 2202 3303", {.length_bit = true}, "ff030021"},
        {"sequence", "0802 2202 3303 0000 0000", {.sequencing = true}, "ff030021"},
        {"both",
         "4802 004c 2202 3303 0000 0000",
         {.length_bit = true, .sequencing = true},
         "ff030021"},
        {"no address and control", "0002 2202 3303", {.tx_acfc = true}, "0021"},
        {"compressed protocol", "0002 2202 3303", {.tx_pfc = true}, "ff0321"},
        {"both compressed", "0002 2202 3303", {.tx_acfc = true, .tx_pfc = true}, "21"},
        {"don't fragment", "0002 2202 3303", {.outer_df = true}, "ff030021"},
};

static struct dp_session with_options(const struct dp_session *o)
{
	struct dp_session s = *rig_session();

	s.length_bit = o->length_bit;
	s.sequencing = o->sequencing;
	s.tx_acfc = o->tx_acfc;
	s.tx_pfc = o->tx_pfc;
	s.outer_df = o->outer_df;
	return s;
}

static void check_form(size_t i, bool sum)
{
	const struct bytes *d = &rig()->frames[0].d;
	struct bytes want = {0}, ppp = {0};
	const uint8_t *in;

	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(rig()->frames[0].port, 0);
	CU_ASSERT_EQUAL(memcmp(d->b, "\x02\xaa\0\0\0\x10\x02\0\0\0\0\x01\x08\x00", 14), 0);
	hex_make(&want, forms[i].l2tp);
	hex_make(&ppp, forms[i].ppp);
	put(&want, ppp.b, ppp.len);
	CU_ASSERT_EQUAL(memcmp(d->b + L2TP, want.b, want.len), 0);
	in = d->b + L2TP + want.len;
	CU_ASSERT_EQUAL(d->len, L2TP + want.len + 60);
	CU_ASSERT_EQUAL(in[8], 63);
	CU_ASSERT_TRUE(ip4_sum_right(in));
	CU_ASSERT_TRUE(ip4_sum_right(d->b + OUTER));
	CU_ASSERT_EQUAL(get_be16(d->b + OUTER + 2), d->len - OUTER);
	CU_ASSERT_EQUAL(get_be16(d->b + OUTER + 6), forms[i].s.outer_df ? DF : 0);
	CU_ASSERT_EQUAL(get_be16(d->b + UDP), 1701);
	CU_ASSERT_EQUAL(get_be16(d->b + UDP + 2), 1701);
	CU_ASSERT_EQUAL(get_be16(d->b + UDP + 4), d->len - UDP);
	if (sum)
		CU_ASSERT_TRUE(udp_right(d->b + OUTER));
	if (!sum)
		CU_ASSERT_EQUAL(get_be16(d->b + UDP + 6), 0);
}

static void test_forms(void)
{
	rig_open(NULL);
	for (size_t i = 0; i < N_ROWS(forms) * 2; i++) {
		struct dp_session s = with_options(&forms[i / 2].s);

		s.udp_checksum = i % 2 == 0;
		s.session_id = (uint16_t)(SID + i);
		rig_add(&s); /* the newest session has the address */
		send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 40});
		check_form(i / 2, s.udp_checksum);
		rig_clear();
	}
	rig_close();
}

static void test_vlan(void)
{
	struct dp_session s = *rig_session();
	const uint8_t head[] = {2, 0xaa, 0, 0, 0, 0x11, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 0x64, 8, 0};

	rig_open(NULL);
	s.local.addr = ipaddr_v4(LNS_VLAN);
	s.peer.addr = ipaddr_v4(LAC_VLAN);
	rig_add(&s);
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 1});
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(rig()->frames[0].port, 0);
	CU_ASSERT_EQUAL(memcmp(rig()->frames[0].d.b, head, sizeof(head)), 0);
	rig_close();
}

static void test_sequence(void)
{
	struct dp_session s = *rig_session();
	struct dp_session_stats st;

	rig_open(NULL);
	s.sequencing = true;
	rig_add(&s);
	for (uint16_t i = 0; i < 3; i++)
		send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 100});
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 3);
	for (uint16_t i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(get_be16(rig()->frames[i].d.b + L2TP + 6), i);
	CU_ASSERT_EQUAL(dp_session_stats(rig()->dp, SID, GEN, &st), 0);
	CU_ASSERT_EQUAL(st.ns, 3);
	CU_ASSERT_EQUAL(st.tx_packets, 3);
	CU_ASSERT_EQUAL(st.tx_bytes, 360);
	CU_ASSERT_EQUAL(st.tx_discards, 0);
	rig_close();
}

/* Every length modulo the word of the sum, and every value: 0 would mean that there is none. */
static void test_checksum(void)
{
	rig_open(NULL);
	rig_add(rig_session());
	for (uint16_t n = 0; n < 40; n++) {
		send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = n});
		CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
		CU_ASSERT_TRUE(udp_right(rig()->frames[0].d.b + OUTER));
		rig_clear();
	}
	for (uint32_t v = 0; v <= UINT16_MAX; v++) {
		struct {
			struct rte_udp_hdr h;
			uint8_t v[2];
		} u = {.h.dgram_len = rte_cpu_to_be_16(10), .v = {(uint8_t)(v >> 8), (uint8_t)v}};

		udp4_fill(&u.h, 10, 1, 2);
		if (u.h.dgram_cksum == 0 || udp4_sum(&u.h, 10, 1, 2) != 0xffff)
			CU_FAIL("checksum");
	}
	rig_close();
}

static void test_ip_ids_differ(void)
{
	rig_open(NULL);
	rig_add(rig_session());
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 100});
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 100});
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 2);
	CU_ASSERT_NOT_EQUAL(get_be16(rig()->frames[0].d.b + OUTER + 4),
	                    get_be16(rig()->frames[1].d.b + OUTER + 4));
	rig_close();
}

static void test_not_there(void)
{
	struct dp_session s = *rig_session();
	const struct rig_punt *t = &rig()->punts[0];

	rig_open(NULL);
	s.open = false;
	rig_add(&s);
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 9});
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_SESS_CLOSED), 1);
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB_FREE, .payload = 9});
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_EQUAL_FATAL(rig()->n_punts, 1);
	CU_ASSERT_EQUAL(t->p.class, DP_PUNT_ICMP);
	CU_ASSERT_EQUAL(t->p.icmp, DP_ICMP_UNREACHABLE);
	CU_ASSERT_EQUAL(t->p.ifidx, IF_CORE);
	CU_ASSERT_EQUAL(t->p.session_id, 0);
	CU_ASSERT_EQUAL(t->d.len, 29);
	rig_close();
}

/* An address outside of all pools, in no route: the hash finds it. */
static void test_framed(void)
{
	struct dp_session s = *rig_session();
	uint64_t ticket;

	rig_open(NULL);
	s.peer_ip = FRAMED;
	rig_add(&s);
	send_down(&(struct ipspec){.src = WORLD, .dst = FRAMED, .payload = 9});
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(rig()->frames[0].port, 0);
	/* It moves into the flat array when a pool covers it. */
	CU_ASSERT_EQUAL(dp_pool_add(rig()->dp, FRAMED - 5, 100), 0);
	rig_clear();
	send_down(&(struct ipspec){.src = WORLD, .dst = FRAMED, .payload = 9});
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(rig()->frames[0].port, 0);
	CU_ASSERT_EQUAL(dp_session_del(rig()->dp, SID, GEN, &ticket), 0);
	rig_turn();
	rig_clear();
	send_down(&(struct ipspec){.src = WORLD, .dst = FRAMED, .payload = 9});
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(rig()->frames[0].port, 1); /* by the default route */
	rig_close();
}

static void test_framed_many(void)
{
	struct dp_session s = *rig_session();
	uint64_t ticket;

	rig_open(NULL);
	for (uint16_t i = 0; i < 300; i++) {
		s.session_id = (uint16_t)(SID + i);
		s.peer_ip = FRAMED + i * 977u;
		rig_add(&s);
	}
	for (uint16_t i = 0; i < 300; i++) {
		if (i % 2 == 0) {
			CU_ASSERT_EQUAL(
			        dp_session_del(rig()->dp, (uint16_t)(SID + i), GEN, &ticket), 0);
		}
		rig_turn();
	}
	for (uint16_t i = 0; i < 300; i++) {
		send_down(&(struct ipspec){.src = WORLD, .dst = FRAMED + i * 977u, .payload = 9});
		CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
		CU_ASSERT_EQUAL(rig()->frames[0].port, i % 2 == 0 ? 1 : 0);
		rig_clear();
	}
	rig_close();
}

static void test_address_moves(void)
{
	struct dp_session s = *rig_session(), s2 = *rig_session();
	uint64_t ticket;

	rig_open(NULL);
	rig_add(&s);
	s2.session_id = SID2;
	s2.peer_session_id = 0x4404;
	rig_add(&s2); /* the newest wins */
	CU_ASSERT_EQUAL(dp_session_del(rig()->dp, SID, GEN, &ticket), 0);
	rig_turn();
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 9});
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(get_be16(rig()->frames[0].d.b + L2TP + 4), 0x4404);
	rig_clear();
	s2.peer_ip = SUB2;
	rig_update(&s2);
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 9});
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB2, .payload = 9});
	CU_ASSERT_EQUAL(rig()->n_frames, 1);
	rig_close();
}

static void test_too_big(void)
{
	const struct rig_punt *t = &rig()->punts[0];
	struct dp_session_stats st;

	rig_open(NULL);
	rig_add(rig_session());
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 1440, .frag = DF});
	CU_ASSERT_EQUAL(rig()->n_frames, 1); /* 1460: just fits */
	rig_clear();
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 1441, .frag = DF});
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_EQUAL_FATAL(rig()->n_punts, 1);
	CU_ASSERT_EQUAL(t->p.class, DP_PUNT_ICMP);
	CU_ASSERT_EQUAL(t->p.icmp, DP_ICMP_TOO_BIG);
	CU_ASSERT_EQUAL(t->p.mtu, 1460);
	CU_ASSERT_EQUAL(t->d.len, 1461);
	CU_ASSERT_EQUAL(dp_session_stats(rig()->dp, SID, GEN, &st), 0);
	CU_ASSERT_EQUAL(st.tx_discards, 1);
	rig_close();
}

/* Puts the fragments from frames together: their payload and whether they are in order and whole. */
static bool collect(size_t ip_at, struct bytes *out, uint16_t mtu)
{
	uint32_t at = 0;
	bool more = true;

	out->len = 0;
	for (uint32_t i = 0; i < rig()->n_frames; i++) {
		const uint8_t *ip = rig()->frames[i].d.b + ip_at;
		uint16_t frag = get_be16(ip + 6), total = get_be16(ip + 2);
		uint16_t hl = (uint16_t)((ip[0] & 15) * 4);

		if (!ip4_sum_right(ip) || total > mtu || (frag & 0x1fff) * 8u != at || !more)
			return false;
		more = (frag & MF) != 0;
		put(out, ip + hl, total - hl);
		at += total - hl;
	}
	return !more;
}

static void pattern(const struct bytes *d, size_t from, size_t n)
{
	CU_ASSERT_EQUAL_FATAL(d->len, n);
	for (size_t i = 0; i < n; i++) {
		if (d->b[i] != (uint8_t)((i + from) * 7 + 3)) {
			CU_FAIL("payload differs");
			return;
		}
	}
}

static void test_inner_fragments(void)
{
	struct bytes whole;
	struct dp_session s = *rig_session();

	rig_open(NULL);
	s.mtu = 600;
	s.sequencing = true;
	rig_add(&s);
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 1480, .id = 7});
	CU_ASSERT_EQUAL(rig()->n_frames, 3);
	CU_ASSERT_TRUE(collect(L2TP + 14, &whole, 600));
	pattern(&whole, 0, 1480);
	for (uint16_t i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(get_be16(rig()->frames[i].d.b + L2TP + 6), i);
		CU_ASSERT_EQUAL(get_be16(rig()->frames[i].d.b + L2TP + 14 + 4), 7);
		CU_ASSERT_TRUE(udp_right(rig()->frames[i].d.b + OUTER));
	}
	rig_close();
}

/* A fragment is cut again; options with the copied flag stay with every piece. */
static void test_fragment_of_fragment(void)
{
	const uint8_t options[12] = {0x83, 4, 0x11, 0x22, 1, 0x07, 3, 4, 0x94, 2, 0, 0};
	struct dp_session s = *rig_session();
	const uint8_t *ip;

	rig_open(NULL);
	s.mtu = 300;
	rig_add(&s);
	send_down(&(struct ipspec){.src = WORLD,
	                           .dst = SUB,
	                           .payload = 400,
	                           .frag = MF | 10,
	                           .n_options = 12,
	                           .options = options});
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 2);
	ip = rig()->frames[0].d.b + L2TP + 10;
	CU_ASSERT_EQUAL(ip[0], 0x48);
	CU_ASSERT_EQUAL(get_be16(ip + 6), MF | 10);
	CU_ASSERT_EQUAL(get_be16(ip + 2), 32 + 264);
	CU_ASSERT_TRUE(ip4_sum_right(ip));
	ip = rig()->frames[1].d.b + L2TP + 10;
	CU_ASSERT_EQUAL(ip[0], 0x47);
	CU_ASSERT_EQUAL(memcmp(ip + 20, "\x83\x04\x11\x22\x94\x02\x00\x00", 8), 0);
	CU_ASSERT_EQUAL(get_be16(ip + 6), MF | (10 + 264 / 8));
	CU_ASSERT_EQUAL(get_be16(ip + 2), 28 + 136);
	CU_ASSERT_TRUE(ip4_sum_right(ip));
	rig_close();
}

/* Before and after a packet that is cut, the order stays. */
static void test_order_around_fragments(void)
{
	const uint16_t sizes[] = {10, 1400, 20, 1400, 30};
	struct dp_session s = *rig_session();
	struct bytes frame;
	uint16_t want = 0;

	rig_open(NULL);
	s.mtu = 1000;
	s.sequencing = true;
	rig_add(&s);
	for (size_t i = 0; i < N_ROWS(sizes); i++) {
		eth_ip4(&frame, IF_CORE,
		        &(struct ipspec){.src = WORLD, .dst = SUB, .payload = sizes[i]});
		rig_put(1, 0, &frame);
	}
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 7);
	for (uint32_t i = 0; i < 7; i++)
		CU_ASSERT_EQUAL(get_be16(rig()->frames[i].d.b + L2TP + 6), want++);
	rig_close();
}

static void test_outer_fragments(void)
{
	struct dp_session s = *rig_session();
	struct bytes whole;

	rig_open(NULL);
	s.mtu = 1500;
	rig_add(&s);
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 1480, .frag = DF});
	CU_ASSERT_EQUAL(rig()->n_frames, 2);
	CU_ASSERT_TRUE(collect(OUTER, &whole, 1500));
	CU_ASSERT_EQUAL(whole.len, 8 + 10 + 1500);
	/* The checksum is that of the whole datagram, length and all. */
	CU_ASSERT_EQUAL(get_be16(whole.b + 4), 1518);
	CU_ASSERT_NOT_EQUAL(get_be16(whole.b + 6), 0);
	memmove(whole.b, whole.b + 18 + 20, 1480);
	whole.len = 1480;
	pattern(&whole, 0, 1480);
	rig_close();
}

/* With DF outside the sender learns what fits inside; without DF inside the packet is cut to it. */
static void test_outer_df(void)
{
	struct dp_session s = *rig_session();
	struct bytes whole;

	rig_open(NULL);
	s.mtu = 1500;
	s.outer_df = true;
	rig_add(&s);
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 1443, .frag = DF});
	CU_ASSERT_EQUAL(rig()->n_frames, 0);
	CU_ASSERT_EQUAL_FATAL(rig()->n_punts, 1);
	CU_ASSERT_EQUAL(rig()->punts[0].p.icmp, DP_ICMP_TOO_BIG);
	CU_ASSERT_EQUAL(rig()->punts[0].p.mtu, 1500 - 38);
	rig_clear();
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 1442, .frag = DF});
	CU_ASSERT_EQUAL(rig()->n_frames, 1);
	rig_clear();
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 1443});
	CU_ASSERT_EQUAL(rig()->n_frames, 2);
	CU_ASSERT_TRUE(collect(L2TP + 10, &whole, 1462));
	pattern(&whole, 0, 1443);
	rig_close();
}

static void test_cannot_cut(void)
{
	struct dp_session s = *rig_session();

	rig_open(NULL);
	s.mtu = 27; /* no room for eight bytes */
	rig_add(&s);
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 100});
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_FRAG_FAILED), 1);
	s.mtu = 28; /* more than 64 pieces */
	rig_update(&s);
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 1400});
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_FRAG_FAILED), 2);
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 64 * 8});
	CU_ASSERT_EQUAL(rig()->n_frames, 64);
	CU_ASSERT_EQUAL(rig()->n_punts, 0);
	rig_close();
}

static void test_mss_down(void)
{
	struct dp_session s = *rig_session();
	struct bytes frame;

	rig_open(NULL);
	s.mss_clamp = 1360;
	rig_add(&s);
	for (int odd = 0; odd < 2; odd++) {
		const uint8_t *in = rig()->frames[0].d.b + L2TP + 10;

		eth(&frame, IF_CORE, 0x0800);
		tcp_syn_make(&frame, WORLD, SUB, 1460, odd != 0);
		rig_put(1, 0, &frame);
		rig_turn();
		CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
		CU_ASSERT_EQUAL(get_be16(in + 42 + odd), 1360);
		CU_ASSERT_TRUE(tcp_sum_right(in));
		rig_clear();
	}
	rig_close();
}

static void test_no_way_to_peer(void)
{
	struct dp_session s = *rig_session();

	rig_open(NULL);
	s.peer.addr = ipaddr_v4(SUB2); /* a tunnel inside of a tunnel */
	rig_add(&s);
	send_down(&(struct ipspec){.src = WORLD, .dst = SUB, .payload = 9});
	CU_ASSERT_EQUAL(dp_send_ppp(rig()->dp, SID, GEN, (const uint8_t *)"\xc0\x21", 2), 0);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_L2TP_NO_ROUTE), 2);
	rig_close();
}

static void test_no_headroom(void)
{
	struct bytes frame;
	struct rte_mbuf *m;

	rig_open(NULL);
	rig_add(rig_session());
	eth_ip4(&frame, IF_CORE, &(struct ipspec){.src = WORLD, .dst = SUB, .payload = 9});
	m = dp_alloc(rig()->dp, frame.len);
	m->data_off = 20;
	memcpy(rte_pktmbuf_append(m, (uint16_t)frame.len), frame.b, frame.len);
	rig_put_mbuf(1, 0, m);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_NO_HEADROOM), 1);
	rig_close();
}

/* From one subscriber to another: up, across workers, and down again. */
static void test_hairpin(void)
{
	struct dp_session s = *rig_session(), s2 = *rig_session();
	struct bytes packet = {0}, body = {0}, frame;

	rig_open(NULL);
	rig_add(&s);
	s2.session_id = SID2;
	s2.worker = 0;
	s2.peer_session_id = 0x5505;
	s2.peer_ip = SUB2;
	rig_add(&s2);
	ip4_make(&packet, &(struct ipspec){.src = SUB, .dst = SUB2, .payload = 33});
	ppp_make(&body, "ff030021", &packet);
	l2tp_make(&frame, &(struct l2tpspec){.flags = 2, .body = &body});
	rig_put(0, 0, &frame);
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(rig()->frames[0].port, 0);
	CU_ASSERT_EQUAL(get_be16(rig()->frames[0].d.b + L2TP + 4), 0x5505);
	CU_ASSERT_EQUAL(rig()->frames[0].d.b[L2TP + 10 + 8], 63);
	rig_close();
}

static CU_TestInfo tests[] = {
        {"every form of header", test_forms},
        {"sub-interface", test_vlan},
        {"sequence", test_sequence},
        {"checksum", test_checksum},
        {"outer ids", test_ip_ids_differ},
        {"no session for the address", test_not_there},
        {"framed address", test_framed},
        {"many framed addresses", test_framed_many},
        {"an address moves", test_address_moves},
        {"too big for the session", test_too_big},
        {"fragments inside", test_inner_fragments},
        {"fragment of a fragment, options", test_fragment_of_fragment},
        {"order around fragments", test_order_around_fragments},
        {"fragments outside", test_outer_fragments},
        {"don't fragment outside", test_outer_df},
        {"cannot be cut", test_cannot_cut},
        {"MSS clamp", test_mss_down},
        {"no way to the peer", test_no_way_to_peer},
        {"no headroom", test_no_headroom},
        {"subscriber to subscriber", test_hairpin},
        CU_TEST_INFO_NULL,
};

CU_TestInfo *down_tests(void)
{
	return tests;
}
