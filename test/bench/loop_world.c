/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The data plane of the loop's rows and the peers around it.
 *
 *	port 0: 192.0.2.1, peers 100.64/16 behind 192.0.2.254
 *	port 1: 203.0.113.1, the world behind 203.0.113.254
 *	subscribers: 10.64/16
 */
#include "bench/loop.h"

#include <stdlib.h>
#include <string.h>

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))
#define LNS            IP(192, 0, 2, 1)
#define LAC_GW         IP(192, 0, 2, 254)
#define CORE_GW        IP(203, 0, 113, 254)
#define N_MBUFS        16383

static const uint8_t gw_mac[2][6] = {{2, 0xaa, 0, 0, 0, 0xfe}, {2, 0xcc, 0, 0, 0, 0xfe}};
static const uint8_t our_mac[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};

static const struct esp_suite gcm128 = {ESP_AES_GCM, ESP_AUTH_AEAD, 16, 16};
static const struct esp_suite gcm256 = {ESP_AES_GCM, ESP_AUTH_AEAD, 32, 16};
static const struct esp_suite cbc128_sha1 = {ESP_AES_CBC, ESP_HMAC_SHA1_96, 16, 0};
static const struct esp_suite cbc256_sha256 = {ESP_AES_CBC, ESP_HMAC_SHA256_128, 32, 0};

const struct suite_name loop_suites[] = {
        {"plain", NULL},
        {"gcm128", &gcm128},
        {"cbc128_sha1", &cbc128_sha1},
        {"gcm256", &gcm256},
        {"cbc256_sha256", &cbc256_sha256},
        {NULL, NULL},
};

/* Of the peers; the main lcore's. */
static struct esp *engine(void)
{
	static struct esp *e;
	char why[128];

	if (e == NULL)
		e = esp_new(why, sizeof(why));
	if (e == NULL)
		bench_fail("%s", why);
	return e;
}

uint32_t world_random(struct world *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (uint32_t)(w->random >> 32);
}

static void must(int rc, const char *what)
{
	if (rc < 0)
		bench_fail("%s: %s.", what, strerror(-rc));
}

/* ---- the data plane ---- */

static void net_up(struct world *w)
{
	const struct dp_route routes[] = {
	        {LNS, 32, DP_RT_LOCAL, 0, 0},
	        {LNS, 24, DP_RT_CONNECTED, 0, 0},
	        {IP(100, 64, 0, 0), 16, DP_RT_VIA, 0, LAC_GW},
	        {IP(203, 0, 113, 1), 32, DP_RT_LOCAL, 1, 0},
	        {IP(203, 0, 113, 0), 24, DP_RT_CONNECTED, 1, 0},
	        {IP(10, 64, 0, 0), 16, DP_RT_SUBSCRIBER, 0, 0},
	        {IP(20, 0, 0, 0), 8, DP_RT_VIA, 1, CORE_GW},
	        {0, 0, DP_RT_VIA, 1, CORE_GW},
	};

	for (uint16_t p = 0; p < LOOP_PORTS; p++) {
		struct dp_if_conf c = {.port_id = p, .mtu = 1500};

		memcpy(c.mac, our_mac[p], sizeof(c.mac));
		must(dp_if_add(w->dp, &c), "interface");
		must(dp_port_add(w->dp, p, w->conf.n_workers, w->conf.n_workers), "port");
	}
	for (size_t i = 0; i < RTE_DIM(routes); i++)
		must(dp_route_set(w->dp, &routes[i]), "route");
	must(dp_pool_add(w->dp, IP(10, 64, 0, 0), 65536), "pool");
	must(dp_neigh_set(w->dp, 0, LAC_GW, gw_mac[0]), "neighbour");
	must(dp_neigh_set(w->dp, 1, CORE_GW, gw_mac[1]), "neighbour");
}

/* Only the first packets of SAs may say so. */
static void no_punt(void *ctx, const struct dp_punt *p)
{
	if (p->class != DP_PUNT_SA)
		bench_fail("a packet went to control, class %s.", dp_punt_name(p->class));
}

void world_turn(struct world *w)
{
	uint32_t n;

	do {
		n = 0;
		for (uint16_t i = 0; i < w->conf.n_workers; i++)
			n += dp_worker_poll(w->dp, i);
	} while (n > 0);
	dp_tick(w->dp, 0);
	while (dp_punt_poll(w->dp, no_punt, NULL, 64) > 0)
		;
}

static struct esp_sa *their_sa(const struct dp_sa *ours)
{
	struct esp_sa *sa = esp_sa_new(engine(), &(struct esp_sa_conf){
	                                                 .spi = ours->spi,
	                                                 .inbound = !ours->inbound,
	                                                 .suite = ours->suite,
	                                                 .enc_key = ours->enc_key,
	                                                 .auth_key = ours->auth_key,
	                                                 .enc_key_len = ours->enc_key_len,
	                                                 .auth_key_len = ours->auth_key_len,
	                                         });

	if (sa == NULL)
		bench_fail("no SA for a peer.");
	return sa;
}

/* A child with a pair of SAs, and the peer's end of them. */
static uint32_t sas_up(struct world *w, struct flow *f, uint32_t i)
{
	struct dp_child c = {.conn = i + 1,
	                     .worker = f->owner,
	                     .local = {ipaddr_v4(LNS), 1701},
	                     .peer = {ipaddr_v4(f->peer), 1701}};
	uint8_t keys[4][64];
	struct dp_sa sa = {.tunnel_mode = false,
	                   .local = c.local,
	                   .peer = c.peer,
	                   .suite = *w->conf.suite,
	                   .enc_key_len = esp_suite_enc_key_len(w->conf.suite),
	                   .auth_key_len = esp_suite_auth_key_len(w->conf.suite)};
	dp_sa_id in;

	for (int k = 0; k < 4; k++) {
		for (int b = 0; b < 64; b++)
			keys[k][b] = (uint8_t)world_random(w);
	}
	must(dp_child_add(w->dp, &c, &sa.child), "child");
	must(dp_spi_get(w->dp, f->owner, &sa.spi), "SPI");
	sa.inbound = true;
	sa.replay_window = 1024;
	sa.enc_key = keys[0];
	sa.auth_key = keys[1];
	must(dp_sa_add(w->dp, &sa, &in, NULL), "inbound SA");
	f->tx = their_sa(&sa);
	sa.inbound = false;
	sa.replay_window = 0;
	sa.spi = 0xc0000000 + i;
	sa.enc_key = keys[2];
	sa.auth_key = keys[3];
	sa.pair = in;
	must(dp_sa_add(w->dp, &sa, &in, NULL), "outbound SA");
	f->rx = their_sa(&sa);
	return sa.child;
}

static void sessions_up(struct world *w)
{
	uint32_t child = 0;

	for (uint32_t i = 0; i < SESSIONS; i++) {
		struct flow *f = &w->flow[i];
		uint32_t tunnel = w->conf.fat ? 0 : i;

		*f = (struct flow){.peer = IP(100, 64, 0, 1) + tunnel,
		                   .sub = IP(10, 64, 0, 1) + i,
		                   .far = IP(20, 0, 0, 1) + (i << 8),
		                   .sid = (uint16_t)(i + 1),
		                   .tid = (uint16_t)(tunnel + 1),
		                   .peer_sid = (uint16_t)(i * 7 + 3),
		                   .peer_tid = (uint16_t)(tunnel * 5 + 1)};
		f->owner = w->conf.fat && w->conf.suite != NULL ? 0
		                                                : (uint16_t)(i % w->conf.n_workers);
		if (w->conf.suite != NULL && (i == 0 || !w->conf.fat)) {
			child = sas_up(w, f, i);
		} else if (w->conf.suite != NULL) {
			f->tx = w->flow[0].tx;
			f->rx = w->flow[0].rx;
		}
		must(dp_session_add(w->dp,
		                    &(struct dp_session){
		                            .session_id = f->sid,
		                            .tunnel_id = f->tid,
		                            .peer_session_id = f->peer_sid,
		                            .peer_tunnel_id = f->peer_tid,
		                            .gen = 1,
		                            .worker = f->owner,
		                            .local = {ipaddr_v4(LNS), 1701},
		                            .peer = {ipaddr_v4(f->peer), 1701},
		                            .conn = w->conf.suite == NULL ? 0 : tunnel + 1,
		                            .child = child,
		                            .open = true,
		                            .mtu = 1460,
		                            .peer_ip = f->sub,
		                    }),
		     "session");
		if (i % 64 == 0)
			world_turn(w);
	}
	world_turn(w);
}

void world_no_drops(struct world *w)
{
	struct dp_stats s;

	dp_stats_get(w->dp, -1, &s);
	for (int i = 0; i < DP_DROP_MAX; i++) {
		if (s.drop[i] != 0)
			bench_fail("%llu packets were dropped: %s.", (unsigned long long)s.drop[i],
			           dp_drop_name((enum dp_drop)i));
	}
	if (s.punts != 0)
		bench_fail("%llu packets were punted.", (unsigned long long)s.punts);
}

/* ---- frames ---- */

static uint8_t *eth_make(uint8_t *p, const uint8_t dst[6], const uint8_t src[6])
{
	memcpy(p, dst, 6);
	memcpy(p + 6, src, 6);
	put_be16(p + 12, RTE_ETHER_TYPE_IPV4);
	return p + 14;
}

static uint8_t *ip4_make(uint8_t *p, uint32_t src, uint32_t dst, uint8_t proto, uint8_t ttl,
                         uint16_t total)
{
	struct rte_ipv4_hdr *ip = (void *)p;

	*ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
	                            .total_length = rte_cpu_to_be_16(total),
	                            .time_to_live = ttl,
	                            .next_proto_id = proto,
	                            .src_addr = rte_cpu_to_be_32(src),
	                            .dst_addr = rte_cpu_to_be_32(dst)};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	return p + sizeof(*ip);
}

/* A packet of the subscriber's, or to him: size bytes, told apart by i. */
static void inner_make(uint8_t *p, const struct flow *f, enum way way, uint16_t size, uint8_t ttl,
                       uint32_t i)
{
	uint8_t *u = ip4_make(p, way == UP ? f->sub : f->far, way == UP ? f->far : f->sub,
	                      IPPROTO_UDP, ttl, size);

	memset(u, (uint8_t)i, (size_t)(size - sizeof(struct rte_ipv4_hdr)));
	put_be16(u, 5000);
	put_be16(u + 2, 6000);
	put_be16(u + 4, (uint16_t)(size - sizeof(struct rte_ipv4_hdr)));
	put_be16(u + 6, 0);
	memcpy(u + 8, &i, sizeof(i));
}

#define L2TP_FRONT 18 /* UDP, L2TP without options, PPP with address and control */

/* UDP, L2TP and PPP headers; body: what follows them. */
static uint8_t *l2tp_make(uint8_t *p, const struct flow *f, enum way way, uint16_t body)
{
	put_be16(p, 1701);
	put_be16(p + 2, 1701);
	put_be16(p + 4, (uint16_t)(L2TP_FRONT + body));
	put_be16(p + 6, 0);
	put_be16(p + 8, 2);
	put_be16(p + 10, way == UP ? f->tid : f->peer_tid);
	put_be16(p + 12, way == UP ? f->sid : f->peer_sid);
	put_be16(p + 14, 0xff03);
	put_be16(p + 16, 0x0021);
	return p + L2TP_FRONT;
}

static uint8_t *data_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, uint8_t *);
}

static void len_set(struct rte_mbuf *m, uint16_t len)
{
	m->data_len = len;
	m->pkt_len = len;
}

static void plain_up(const struct world *w, struct rte_mbuf *m, const struct flow *f, uint32_t i)
{
	uint16_t body = w->conf.size, total = (uint16_t)(20 + L2TP_FRONT + body);
	uint8_t *p = eth_make(data_of(m), our_mac[0], gw_mac[0]);

	p = ip4_make(p, f->peer, LNS, IPPROTO_UDP, 64, total);
	inner_make(l2tp_make(p, f, UP, body), f, UP, body, 64, i);
	len_set(m, (uint16_t)(14 + total));
}

/* The headers come when the packet has been encrypted. */
static void esp_up_text(const struct world *w, struct rte_mbuf *m, const struct flow *f, uint32_t i,
                        struct esp_pkt *e)
{
	uint8_t *p = data_of(m) + 34 + esp_sa_head(f->tx);

	inner_make(l2tp_make(p, f, UP, w->conf.size), f, UP, w->conf.size, 64, i);
	*e = (struct esp_pkt){.sa = f->tx,
	                      .data = p,
	                      .len = (uint16_t)(L2TP_FRONT + w->conf.size),
	                      .next_header = IPPROTO_UDP};
}

static void esp_up_outer(struct rte_mbuf *m, const struct flow *f, const struct esp_pkt *e)
{
	if (e->status != ESP_OK || e->data != data_of(m) + 34)
		bench_fail("a peer cannot encrypt.");
	ip4_make(eth_make(data_of(m), our_mac[0], gw_mac[0]), f->peer, LNS, IPPROTO_ESP, 64,
	         (uint16_t)(20 + e->len));
	len_set(m, (uint16_t)(34 + e->len));
}

static void esp_up(struct world *w, uint32_t first, uint32_t n)
{
	struct esp_pkt e[ESP_BURST_MAX];

	for (uint32_t at = first; at < first + n;) {
		uint16_t k = (uint16_t)RTE_MIN(first + n - at, (uint32_t)ESP_BURST_MAX);

		for (uint16_t j = 0; j < k; j++)
			esp_up_text(w, w->m[at + j], &w->flow[w->of[at + j]], at + j, &e[j]);
		esp_encrypt(engine(), e, k);
		for (uint16_t j = 0; j < k; j++)
			esp_up_outer(w->m[at + j], &w->flow[w->of[at + j]], &e[j]);
		at += k;
	}
}

static void down(const struct world *w, struct rte_mbuf *m, const struct flow *f, uint32_t i)
{
	inner_make(eth_make(data_of(m), our_mac[1], gw_mac[1]), f, DOWN, w->conf.size, 64, i);
	len_set(m, (uint16_t)(14 + w->conf.size));
}

/* Those of the sessions in w->of. */
static void frames_make(struct world *w, enum way way, uint32_t first, uint32_t n)
{
	for (uint32_t i = first; i < first + n; i++) {
		struct rte_mbuf *m = w->m[i];

		m->data_off = RTE_PKTMBUF_HEADROOM;
		m->ol_flags = 0;
		m->hash.usr = i; /* so that it is known when it comes out */
		if (way == DOWN)
			down(w, m, &w->flow[w->of[i]], i);
		else if (w->conf.suite == NULL)
			plain_up(w, m, &w->flow[w->of[i]], i);
	}
	if (way == UP && w->conf.suite != NULL)
		esp_up(w, first, n);
}

void world_fill(struct world *w, enum way way, uint32_t first, uint32_t n, int owner)
{
	for (uint32_t i = first; i < first + n; i++) {
		do
			w->of[i] = (uint16_t)(world_random(w) % SESSIONS);
		while (owner >= 0 && w->flow[w->of[i]].owner != owner);
	}
	frames_make(w, way, first, n);
}

/* ---- what comes out ---- */

static void same(const void *a, const void *b, size_t n, const char *what)
{
	if (memcmp(a, b, n) != 0)
		bench_fail("a packet came out wrong: %s.", what);
}

/* An outer IPv4 header of ours; its id is any. */
static void outer_check(const uint8_t *p, const struct flow *f, uint8_t proto, uint16_t total)
{
	struct rte_ipv4_hdr ip, want;

	memcpy(&ip, p, sizeof(ip));
	ip4_make((void *)&want, LNS, f->peer, proto, 64, total);
	want.packet_id = ip.packet_id;
	want.hdr_checksum = 0;
	want.hdr_checksum = rte_ipv4_cksum(&want);
	same(&ip, &want, sizeof(ip), "outer IPv4 header");
}

static void verify_down(const struct world *w, const struct flow *f, struct rte_mbuf *m, uint32_t i)
{
	uint8_t want[2048], *p = eth_make(want, gw_mac[0], our_mac[0]);
	uint16_t size = w->conf.size, len = (uint16_t)(L2TP_FRONT + size);
	struct esp_pkt e = {.sa = f->rx, .data = data_of(m) + 34};
	const uint8_t *text = data_of(m) + 34;

	same(want, data_of(m), (size_t)(p - want), "Ethernet header");
	outer_check(data_of(m) + 14, f, f->rx == NULL ? IPPROTO_UDP : IPPROTO_ESP,
	            (uint16_t)(m->data_len - 14));
	if (f->rx != NULL) {
		e.len = (uint16_t)(m->data_len - 34);
		esp_decrypt(engine(), &e, 1);
		if (e.status != ESP_OK || e.len != len || e.next_header != IPPROTO_UDP)
			bench_fail("a peer cannot decrypt: %s.",
			           esp_status_name((enum esp_status)e.status));
		text = e.data;
	} else if (m->data_len != 34 + len) {
		bench_fail("a packet came out with another length.");
	}
	inner_make(l2tp_make(want, f, DOWN, size), f, DOWN, size, 63, i);
	same(want, text, len, "L2TP message");
}

void world_verify(struct world *w, enum way way, struct rte_mbuf *m)
{
	uint32_t i = m->hash.usr;
	const struct flow *f = &w->flow[w->of[i]];
	uint8_t want[2048];

	if (way == DOWN) {
		verify_down(w, f, m, i);
		return;
	}
	inner_make(eth_make(want, gw_mac[1], our_mac[1]), f, UP, w->conf.size, 63, i);
	if (m->data_len != 14 + w->conf.size)
		bench_fail("a packet came out with another length.");
	same(want, data_of(m), m->data_len, "IPv4 packet");
}

/* ---- the world ---- */

/* One packet of each session: the first ones of an SA are worth an event. */
static void warm_up(struct world *w)
{
	struct rte_mbuf *m;

	for (uint16_t i = 0; i < SESSIONS; i++)
		w->of[i] = i;
	frames_make(w, UP, 0, SESSIONS);
	if (rte_ring_sp_enqueue_bulk(loop_rx(0, 0), (void **)w->m, SESSIONS, NULL) == 0)
		bench_fail("a ring is too small.");
	world_turn(w);
	for (uint16_t q = 0; q < LOOP_QUEUES; q++) {
		while (rte_ring_sc_dequeue(loop_tx(1, q), (void **)&m) == 0)
			;
	}
	world_no_drops(w);
}

struct world *world_new(const struct world_conf *conf)
{
	struct dp_conf c = {.n_workers = conf->n_workers,
	                    .n_mbufs = N_MBUFS,
	                    .vector = 32,
	                    .idle = conf->idle,
	                    .idle_sleep_us = conf->idle_sleep_us,
	                    .punt_rate = {[DP_PUNT_SA] = 100000000}};
	struct world *w = calloc(1, sizeof(*w));

	if (w == NULL)
		bench_fail("no memory.");
	w->conf = *conf;
	w->random = 0x9e3779b97f4a7c15;
	w->dp = dp_new(&c, NULL);
	if (w->dp == NULL)
		bench_fail("no data plane: %m.");
	net_up(w);
	sessions_up(w);
	if (rte_pktmbuf_alloc_bulk(dp_mbuf_pool(w->dp), w->m, BATCH_MAX) != 0)
		bench_fail("no buffers.");
	warm_up(w);
	return w;
}

void world_free(struct world *w)
{
	rte_pktmbuf_free_bulk(w->m, BATCH_MAX);
	for (uint32_t i = 0; i < (w->conf.fat ? 1 : SESSIONS); i++) {
		esp_sa_free(w->flow[i].tx);
		esp_sa_free(w->flow[i].rx);
	}
	dp_free(w->dp);
	free(w);
}
