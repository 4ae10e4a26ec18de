/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Control and the data plane: what control sends, what it is given, sessions that come and go. */
#include "dataplane/rig.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define N_ROWS(t) (sizeof(t) / sizeof((t)[0]))
#define CTRL      0xc802

static const struct endpoint us = {{2, {192, 0, 2, 1}}, 1701};
static const struct endpoint lac = {{2, {192, 0, 2, 10}}, 1701};

static void send_control(const struct l2tpspec *s)
{
	struct bytes frame = {0};

	l2tp_make(&frame, s);
	rig_put(0, 0, &frame);
	rig_turn();
}

static void one_punt(enum dp_punt_class class)
{
	CU_ASSERT_EQUAL_FATAL(rig()->n_punts, 1);
	CU_ASSERT_EQUAL(rig()->punts[0].p.class, class);
}

/* ---- L2TP control messages ---- */

static void test_l2tp_punt(void)
{
	const struct rig_punt *t = &rig()->punts[0];
	struct bytes avp = {0};

	rig_open(NULL);
	CU_ASSERT_EQUAL(dp_tunnel_add(rig()->dp, TID, &us, &lac, 0), 0);
	hex_make(&avp, "8008 0000 0000 0006");
	send_control(&(struct l2tpspec){.flags = CTRL, .zero_ids = true, .tid = TID, .body = &avp});
	one_punt(DP_PUNT_L2TP);
	CU_ASSERT_TRUE(endpoint_eq(&t->p.src, &lac));
	CU_ASSERT_TRUE(endpoint_eq(&t->p.dst, &us));
	CU_ASSERT_EQUAL(t->p.conn, 0);
	CU_ASSERT_EQUAL(t->p.ifidx, IF_LAC);
	CU_ASSERT_EQUAL_FATAL(t->d.len, 20);
	CU_ASSERT_EQUAL(get_be16(t->d.b), CTRL);
	CU_ASSERT_EQUAL(get_be16(t->d.b + 4), TID);
	rig_clear();
	/* A ZLB, and what follows the message in the datagram is not part of it. */
	send_control(&(struct l2tpspec){
	        .flags = CTRL, .zero_ids = true, .tid = TID, .body = &avp, .length_add = -8});
	one_punt(DP_PUNT_L2TP);
	CU_ASSERT_EQUAL(t->d.len, 12);
	rig_clear();
	send_control(&(struct l2tpspec){.flags = CTRL, .zero_ids = true, .body = &avp, .sport = 3});
	one_punt(DP_PUNT_L2TP_NEW);
	CU_ASSERT_EQUAL(t->p.src.port, 3);
	CU_ASSERT_EQUAL(dp_tunnel_del(rig()->dp, TID), 0);
	CU_ASSERT_EQUAL(dp_tunnel_del(rig()->dp, TID), -ENOENT);
	CU_ASSERT_EQUAL(dp_tunnel_add(rig()->dp, 0, &us, &lac, 0), -EINVAL);
	rig_close();
}

static void test_l2tp_refused(void)
{
	static const struct {
		enum dp_drop reason;
		struct l2tpspec l2tp;
	} rows[] = {
	        {DP_DROP_L2TP_SHORT, {.flags = 0x8002}},
	        {DP_DROP_L2TP_HEADER, {.flags = 0x8802, .offset = 1}},
	        {DP_DROP_L2TP_HEADER, {.flags = 0xca02}},
	        {DP_DROP_L2TP_HEADER, {.flags = 0xc902}},
	        {DP_DROP_L2TP_LENGTH, {.flags = CTRL, .length_add = 1}},
	        {DP_DROP_L2TP_LENGTH, {.flags = CTRL, .length_add = -9}},
	        {DP_DROP_L2TP_VERSION, {.flags = 0xc803}},
	        {DP_DROP_UDP_CHECKSUM, {.flags = CTRL, .sum = SUM_WRONG}},
	        {DP_DROP_L2TP_UNKNOWN_TUNNEL, {.flags = CTRL, .tid = 0x0999}},
	        {DP_DROP_L2TP_CONTROL_PEER, {.flags = CTRL, .src = LAC + 1}},
	        {DP_DROP_L2TP_CONTROL_PEER, {.flags = CTRL, .sport = 1702}},
	        {DP_DROP_L2TP_CONTROL_PEER, {.flags = CTRL, .dst = CORE_US}},
	};
	struct bytes avp = {0};

	rig_open(NULL);
	CU_ASSERT_EQUAL(dp_tunnel_add(rig()->dp, TID, &us, &lac, 0), 0);
	hex_make(&avp, "8008 0000 0000 0006");
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		struct l2tpspec s = rows[i].l2tp;

		s.body = rows[i].reason == DP_DROP_L2TP_SHORT ? NULL : &avp;
		rig_mark();
		send_control(&s);
		CU_ASSERT_EQUAL(rig_drops(rows[i].reason), 1);
		CU_ASSERT_EQUAL(rig()->n_punts, 0);
	}
	rig_close();
}

/* Until the peer has answered, its port is open; a tunnel of a connection is only there. */
static void test_l2tp_peer(void)
{
	const struct endpoint any_port = {lac.addr, 0}, v6 = {{10, {0}}, 1701};
	struct bytes avp = {0};

	rig_open(NULL);
	CU_ASSERT_EQUAL(dp_tunnel_add(rig()->dp, TID, &us, &any_port, 0), 0);
	hex_make(&avp, "8008 0000 0000 0002");
	send_control(&(struct l2tpspec){
	        .flags = CTRL, .zero_ids = true, .tid = TID, .body = &avp, .sport = 5555});
	one_punt(DP_PUNT_L2TP);
	CU_ASSERT_EQUAL(dp_tunnel_add(rig()->dp, TID, &us, &lac, 9), 0);
	send_control(&(struct l2tpspec){.flags = CTRL, .zero_ids = true, .tid = TID, .body = &avp});
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_L2TP_CONTROL_PEER), 1);
	CU_ASSERT_EQUAL(dp_tunnel_add(rig()->dp, TID, &us, &v6, 0), -EAFNOSUPPORT);
	rig_close();
}

/* ---- limits ---- */

static void test_class_limit(void)
{
	struct dp_conf conf = rig_conf();
	struct bytes avp = {0}, frame = {0};

	conf.punt_rate[DP_PUNT_L2TP] = 50; /* and a burst of 11 */
	rig_open(&conf);
	CU_ASSERT_EQUAL(dp_tunnel_add(rig()->dp, TID, &us, &lac, 0), 0);
	hex_make(&avp, "8008 0000 0000 0006");
	l2tp_make(&frame,
	          &(struct l2tpspec){.flags = CTRL, .zero_ids = true, .tid = TID, .body = &avp});
	for (int i = 0; i < 100; i++)
		rig_put(0, 0, &frame);
	rig_turn();
	CU_ASSERT_TRUE(rig()->n_punts >= 11 && rig()->n_punts <= 20);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_PUNT_LIMIT) + rig()->n_punts, 100);
	rig_clear();
	rig_wait_ms(100);
	for (int i = 0; i < 100; i++)
		rig_put(0, 0, &frame);
	rig_turn();
	CU_ASSERT_TRUE(rig()->n_punts >= 4 && rig()->n_punts <= 20);
	rig_close();
}

/* Whoever floods control through its session does not take it from the others. */
static void test_session_share(void)
{
	struct dp_session a = *rig_session(), b = a;
	struct dp_conf conf = rig_conf();
	struct bytes body, frame = {0};
	uint32_t n;

	conf.punt_rate[DP_PUNT_PPP] = 1000; /* of which one session has 64 a second, 13 at once */
	rig_open(&conf);
	b.session_id = SID2;
	b.peer_ip = SUB2;
	rig_add(&a);
	rig_add(&b);
	ppp_make(&body, "c021 0901 0008 0000 0000", NULL);
	l2tp_make(&frame, &(struct l2tpspec){.flags = 2, .body = &body});
	for (int i = 0; i < 250; i++)
		rig_put(0, 0, &frame);
	rig_turn();
	n = rig()->n_punts;
	CU_ASSERT_TRUE(n >= 13 && n <= 20);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_PUNT_LIMIT) + n, 250);
	l2tp_make(&frame, &(struct l2tpspec){.flags = 2, .sid = SID2, .body = &body});
	rig_put(0, 0, &frame);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_punts, n + 1);
	rig_close();
}

/* Whoever floods our addresses does not keep us from hearing our neighbours. */
static void test_twin_shares(void)
{
	struct dp_conf conf = rig_conf();
	struct bytes ping = {0}, arp = {0};
	uint32_t n;

	conf.punt_rate[DP_PUNT_TWIN] = 100; /* a burst of 21, of which 11 are for packets */
	rig_open(&conf);
	eth_ip4(&ping, IF_LAC, &(struct ipspec){.src = LAC, .dst = LNS, .proto = 1, .payload = 8});
	for (int i = 0; i < 100; i++)
		rig_put(0, 0, &ping);
	rig_turn();
	n = rig()->n_punts;
	CU_ASSERT_TRUE(n >= 11 && n <= 16);
	hex_make(&arp, "ffffffffffff 02ee00000009 0806 0001");
	for (int i = 0; i < 100; i++)
		rig_put(0, 0, &arp);
	rig_turn();
	CU_ASSERT_TRUE(rig()->n_punts >= n + 5);
	rig_close();
}

static void test_ring_full(void)
{
	struct dp_conf conf = rig_conf();
	struct bytes frame = {0};

	conf.punt_rate[DP_PUNT_TWIN] = 100000;
	rig_open(&conf);
	hex_make(&frame, "ffffffffffff 02ee00000009 0806 0001");
	for (int i = 0; i < 1200; i++)
		rig_put(0, 0, &frame);
	rig_poll();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_PUNT_FULL), 1200 - 1023);
	rig_close();
}

/* A flood from one source leaves the other sources their share. */
static void test_new_tunnel_sources(void)
{
	struct dp_conf conf = rig_conf();
	struct bytes avp = {0}, frame = {0};
	uint32_t n;

	conf.new_tunnel_source_rate = 5;
	rig_open(&conf);
	hex_make(&avp, "8008 0000 0000 0001");
	for (uint16_t i = 0; i < 200; i++) {
		l2tp_make(&frame, &(struct l2tpspec){.flags = CTRL,
		                                     .zero_ids = true,
		                                     .body = &avp,
		                                     .sport = (uint16_t)(2000 + i)});
		rig_put(0, 0, &frame);
	}
	rig_turn();
	n = rig()->n_punts;
	CU_ASSERT_TRUE(n >= 5 && n <= 12);
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_NEW_TUNNEL_LIMIT) + n, 200);
	send_control(&(struct l2tpspec){
	        .flags = CTRL, .zero_ids = true, .body = &avp, .src = IP(192, 0, 2, 99)});
	CU_ASSERT_EQUAL(rig()->n_punts, n + 1);
	rig_close();
}

/*
 * 100,000 requests a second from addresses that never come again, and one client that repeats its
 * request as RFC 2661 5.8 has it: one of its attempts must pass. In virtual time.
 */
static void test_new_tunnel_flood(void)
{
	const uint64_t hz = 1000000000;
	const uint32_t tries_ms[] = {0, 1000, 3000, 7000};
	uint32_t passed = 0, clients = 0;

	for (uint32_t run = 0; run < 5; run++) {
		struct newtun *nt = newtun_new(hz, 1000, 50, 1234 + run, 0);
		uint64_t now = 100 * hz + run * 12345, end = now + 8 * hz, start = now + hz / 2;
		uint32_t next = 0, x = run + 1, flood = 0;
		bool client = false;

		CU_ASSERT_PTR_NOT_NULL_FATAL(nt);
		for (; now < end; now += hz / 100000) {
			x = x * 1664525 + 1013904223;
			flood += newtun_take(nt, x, (uint16_t)(x >> 7), now);
			if (next < N_ROWS(tries_ms) &&
			    now >= start + tries_ms[next] * (hz / 1000)) {
				client = newtun_take(nt, IP(192, 0, 2, 10), 1701, now) || client;
				next++;
			}
		}
		newtun_free(nt);
		clients += client;
		passed += flood / 8;
	}
	/* The total holds: a burst and 1,000 a second, twice at most. */
	CU_ASSERT_TRUE(passed / 5 <= 2 * 1030);
	CU_ASSERT_EQUAL(clients, 5);
}

/* ---- the event ---- */

static bool readable(void)
{
	struct pollfd p = {.fd = dp_event_fd(rig()->dp), .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void take_none(void *ctx, const struct dp_punt *p)
{
	(*(uint32_t *)ctx)++;
}

static void test_event(void)
{
	struct bytes frame = {0};
	uint32_t n = 0;

	rig_open(NULL);
	hex_make(&frame, "ffffffffffff 02ee00000009 0806 0001");
	rig_put(0, 0, &frame);
	rig_poll();
	CU_ASSERT_FALSE(readable()); /* not armed */
	CU_ASSERT_FALSE(dp_arm(rig()->dp)); /* something waits: poll again */
	CU_ASSERT_EQUAL(dp_punt_poll(rig()->dp, take_none, &n, 10), 1);
	CU_ASSERT_TRUE(dp_arm(rig()->dp));
	CU_ASSERT_FALSE(readable());
	for (int i = 0; i < 5; i++) {
		rig_put(0, 0, &frame);
		rig_poll();
	}
	CU_ASSERT_TRUE(readable());
	CU_ASSERT_EQUAL(dp_punt_poll(rig()->dp, take_none, &n, 2), 2);
	CU_ASSERT_FALSE(readable()); /* read, and not armed again */
	CU_ASSERT_FALSE(dp_arm(rig()->dp));
	CU_ASSERT_EQUAL(dp_punt_poll(rig()->dp, take_none, &n, 10), 3);
	CU_ASSERT_EQUAL(n, 6);
	rig_close();
}

static void order_fn(void *ctx, const struct dp_punt *p)
{
	enum dp_punt_class *seen = ctx;

	while (*seen != DP_PUNT_MAX)
		seen++;
	*seen = p->class;
}

/* What keeps sessions up comes before what would make new ones, whatever came first. */
static void test_urgency(void)
{
	enum dp_punt_class seen[8] = {[0 ... 7] = DP_PUNT_MAX};
	struct bytes body = {0}, frame = {0};

	rig_open(NULL);
	rig_add(rig_session());
	CU_ASSERT_EQUAL(dp_tunnel_add(rig()->dp, TID, &us, &lac, 0), 0);
	eth_ip4(&frame, IF_LAC, &(struct ipspec){.src = LAC, .dst = WORLD, .ttl = 1, .payload = 1});
	rig_put(0, 0, &frame);
	hex_make(&body, "8008 0000 0000 0001");
	l2tp_make(&frame, &(struct l2tpspec){.flags = CTRL, .zero_ids = true, .body = &body});
	rig_put(0, 0, &frame);
	hex_make(&frame, "ffffffffffff 02ee00000009 0806 0001");
	rig_put(0, 0, &frame);
	hex_make(&body, "c021 0901 0008 0000 0000");
	l2tp_make(&frame, &(struct l2tpspec){.flags = 2, .body = &body});
	rig_put(0, 0, &frame);
	l2tp_make(&frame, &(struct l2tpspec){.flags = CTRL, .zero_ids = true, .tid = TID});
	rig_put(0, 0, &frame);
	rig_poll();
	CU_ASSERT_EQUAL(dp_punt_poll(rig()->dp, order_fn, seen, 64), 5);
	CU_ASSERT_EQUAL(seen[0], DP_PUNT_L2TP);
	CU_ASSERT_EQUAL(seen[1], DP_PUNT_PPP);
	CU_ASSERT_EQUAL(seen[2], DP_PUNT_TWIN);
	CU_ASSERT_EQUAL(seen[3], DP_PUNT_L2TP_NEW);
	CU_ASSERT_EQUAL(seen[4], DP_PUNT_ICMP);
	/* But each that waits gets something of what one call hands out. */
	for (int i = 0; i < 20; i++)
		rig_put(0, 0, &frame);
	hex_make(&frame, "ffffffffffff 02ee00000009 0806 0001");
	rig_put(0, 0, &frame);
	rig_put(0, 0, &frame);
	rig_poll();
	for (int i = 0; i < 8; i++)
		seen[i] = DP_PUNT_MAX;
	CU_ASSERT_EQUAL(dp_punt_poll(rig()->dp, order_fn, seen, 4), 4);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(seen[i], DP_PUNT_L2TP);
	CU_ASSERT_EQUAL(seen[3], DP_PUNT_TWIN);
	rig_turn();
	rig_close();
}

/* ---- what control sends ---- */

static void test_send_udp(void)
{
	const uint8_t payload[] = {0xc8, 0x02, 0, 12, 1, 2, 0, 0, 0, 1, 0, 1};
	const struct endpoint v6 = {{10, {0}}, 1701};
	static uint8_t big[LARGE_ROOM + 1];
	struct dp_stats s;
	const uint8_t *ip = rig()->frames[0].d.b + 14;
	struct dp *dp;

	rig_open(NULL);
	dp = rig()->dp;
	CU_ASSERT_EQUAL(dp_send_udp(dp, &us, &lac, 0, payload, sizeof(payload)), 0);
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(rig()->frames[0].port, 0);
	CU_ASSERT_EQUAL(rig()->frames[0].d.len, 14 + 28 + 12);
	CU_ASSERT_TRUE(ip4_sum_right(ip));
	CU_ASSERT_TRUE(tcp_sum_right(ip));
	CU_ASSERT_EQUAL(ip[8], 64);
	CU_ASSERT_EQUAL(get_be16(ip + 20), 1701);
	CU_ASSERT_EQUAL(memcmp(ip + 28, payload, sizeof(payload)), 0);
	rig_clear();
	CU_ASSERT_EQUAL(dp_send_udp(dp, &us, &lac, 0, big, 3000), 0);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 3); /* fragments */
	CU_ASSERT_EQUAL(dp_send_udp(dp, &us, &lac, 0, big, sizeof(big)), -EMSGSIZE);
	CU_ASSERT_EQUAL(dp_send_udp(dp, &us, &lac, 0, big, LARGE_ROOM - 27), -EMSGSIZE);
	CU_ASSERT_EQUAL(dp_send_udp(dp, &us, &v6, 0, big, 1), -EAFNOSUPPORT);
	CU_ASSERT_EQUAL(dp_send_udp(dp, &us, &lac, 7, big, 1), -ENOENT);
	CU_ASSERT_EQUAL(dp_send_udp(dp, &us, &us, 0, big, 1), 0);
	rig_turn();
	CU_ASSERT_EQUAL(rig_drops(DP_DROP_IP4_LOCAL_LOOP), 1);
	dp_stats_get(dp, -1, &s);
	CU_ASSERT_EQUAL(s.injected, 3);
	rig_close();
}

static void test_send_ppp(void)
{
	const uint8_t lcp[] = {0xff, 0x03, 0xc0, 0x21, 1, 1, 0, 4};
	struct dp_session s = *rig_session();
	const uint8_t *f = rig()->frames[0].d.b + 14;
	static uint8_t big[1600];
	struct dp *dp;

	rig_open(NULL);
	dp = rig()->dp;
	s.open = false;
	s.sequencing = true;
	s.length_bit = true;
	s.outer_df = true;
	CU_ASSERT_EQUAL(dp_session_add(dp, &s), 0);
	CU_ASSERT_EQUAL(dp_send_ppp(dp, SID, GEN, lcp, sizeof(lcp)), 0); /* in order: added first */
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(rig()->frames[0].d.len, 14 + 28 + 12 + sizeof(lcp));
	CU_ASSERT_EQUAL(get_be16(f + 28), 0x4802);
	CU_ASSERT_EQUAL(get_be16(f + 30), 12 + sizeof(lcp));
	CU_ASSERT_EQUAL(memcmp(f + 40, lcp, sizeof(lcp)), 0);
	CU_ASSERT_EQUAL(get_be16(f + 6), 0); /* never DF: nobody would hear of it */
	CU_ASSERT_TRUE(ip4_sum_right(f));
	CU_ASSERT_TRUE(tcp_sum_right(f));
	rig_clear();
	CU_ASSERT_EQUAL(dp_send_ppp(dp, SID, GEN, big, sizeof(big)), 0);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 2);
	CU_ASSERT_EQUAL(dp_send_ppp(dp, SID, GEN + 1, lcp, 4), -ESTALE);
	CU_ASSERT_EQUAL(dp_send_ppp(dp, SID2, GEN, lcp, 4), -ENOENT);
	CU_ASSERT_EQUAL(dp_send_ppp(dp, SID, GEN, lcp, 0), -EINVAL);
	rig_close();
}

static void test_send_frame(void)
{
	struct bytes frame = {0}, want = {0};
	struct dp *dp;

	rig_open(NULL);
	dp = rig()->dp;
	hex_make(&frame, "ffffffffffff 020000000001 0806 0001 0800");
	CU_ASSERT_EQUAL(dp_send_frame(dp, IF_LAC, frame.b, frame.len), 0);
	CU_ASSERT_EQUAL(dp_send_frame(dp, IF_LAC_VLAN, frame.b, frame.len), 0);
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 2);
	for (uint32_t i = 0; i < 2; i++) {
		const struct bytes *d = &rig()->frames[i].d;

		hex_make(&want, d->len == frame.len
		                        ? "ffffffffffff 020000000001 0806 0001 0800"
		                        : "ffffffffffff 020000000001 8100 0064 0806 0001 0800");
		CU_ASSERT_EQUAL(d->len, want.len);
		CU_ASSERT_EQUAL(memcmp(d->b, want.b, want.len), 0);
	}
	CU_ASSERT_NOT_EQUAL(rig()->frames[0].d.len, rig()->frames[1].d.len);
	CU_ASSERT_EQUAL(dp_send_frame(dp, 9, frame.b, frame.len), -ENODEV);
	CU_ASSERT_EQUAL(dp_send_frame(dp, 0, frame.b, 13), -EINVAL);
	CU_ASSERT_EQUAL(dp_send_frame(dp, 0, frame.b, 1519), -EMSGSIZE);
	rig_close();
}

static void test_send_ip(void)
{
	struct bytes packet = {0};
	struct dp *dp;

	rig_open(NULL);
	dp = rig()->dp;
	rig_add(rig_session());
	ip4_make(&packet, &(struct ipspec){.src = LNS, .dst = SUB, .ttl = 1, .payload = 30});
	CU_ASSERT_EQUAL(dp_send_ip(dp, packet.b, packet.len), 0);
	rig_turn();
	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(rig()->frames[0].port, 0);
	CU_ASSERT_EQUAL(rig()->frames[0].d.b[14 + 28 + 10 + 8], 1); /* the hop was the kernel's */
	rig_clear();
	packet.len = 0;
	ip4_make(&packet, &(struct ipspec){.src = LNS, .dst = WORLD, .payload = 30});
	CU_ASSERT_EQUAL(dp_send_ip(dp, packet.b, packet.len), 0);
	rig_turn();
	CU_ASSERT_EQUAL(rig()->n_frames, 1);
	CU_ASSERT_EQUAL(dp_send_ip(dp, packet.b, packet.len - 1), -EINVAL);
	CU_ASSERT_EQUAL(dp_send_ip(dp, packet.b, 19), -EINVAL);
	packet.b[10]++;
	CU_ASSERT_EQUAL(dp_send_ip(dp, packet.b, packet.len), -EINVAL);
	rig_close();
}

/* A subscriber's packet to ourselves goes to the kernel, by its own class. */
static void test_subscriber_to_us(void)
{
	struct bytes packet = {0}, body = {0}, frame = {0};
	const struct rig_punt *t = &rig()->punts[0];

	rig_open(NULL);
	rig_add(rig_session());
	ip4_make(&packet, &(struct ipspec){.src = SUB, .dst = LNS, .ttl = 1, .payload = 30});
	ppp_make(&body, "ff030021", &packet);
	l2tp_make(&frame, &(struct l2tpspec){.flags = 2, .body = &body});
	rig_put(0, 0, &frame);
	rig_turn();
	one_punt(DP_PUNT_SUBSCRIBER);
	CU_ASSERT_EQUAL(t->p.session_id, SID);
	CU_ASSERT_EQUAL(t->p.gen, GEN);
	CU_ASSERT_EQUAL_FATAL(t->d.len, packet.len);
	CU_ASSERT_EQUAL(memcmp(t->d.b, packet.b, packet.len), 0);
	rig_close();
}

static CU_TestInfo tests[] = {
        {"L2TP control messages", test_l2tp_punt},
        {"L2TP control messages refused", test_l2tp_refused},
        {"peers of tunnels", test_l2tp_peer},
        {"rate of a class", test_class_limit},
        {"a session's share of it", test_session_share},
        {"shares of the twin's class", test_twin_shares},
        {"ring of a class full", test_ring_full},
        {"new tunnels, one source", test_new_tunnel_sources},
        {"new tunnels, a flood", test_new_tunnel_flood},
        {"event", test_event},
        {"urgency", test_urgency},
        {"send UDP", test_send_udp},
        {"send PPP", test_send_ppp},
        {"send a frame", test_send_frame},
        {"send IP", test_send_ip},
        {"subscriber to us", test_subscriber_to_us},
        CU_TEST_INFO_NULL,
};

CU_TestInfo *control_tests(void)
{
	return tests;
}
