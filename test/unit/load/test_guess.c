/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The password guesser in virtual time: what one burst gets judged by a standard and by a single-shot
 * LNS, and its ESP against itself.
 */
#include "lns.h"
#include "load/burst.h"
#include "load/esp_net.h"
#include "ppp/ppp.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATHS 50

struct packet {
	uint32_t path;
	uint16_t len;
	uint8_t data[1500];
	struct packet *next;
};

struct wire { /* a queue each way; nothing is delivered inside a callback */
	struct packet *first, **last;
	uint32_t dropped, drop_every, n;
};

struct rig {
	struct timerq timers;
	struct wire up, down;
	struct lns *lns;
	struct burst *burst;
	uint32_t guesses;
	uint64_t now_ms;
};

static void queue(struct wire *w, uint32_t path, const uint8_t *pkt, size_t len)
{
	struct packet *p = calloc(1, sizeof(*p));

	if (w->drop_every != 0 && ++w->n % w->drop_every == 0) {
		free(p);
		return;
	}
	p->path = path;
	p->len = (uint16_t)len;
	memcpy(p->data, pkt, len);
	*w->last = p;
	w->last = &p->next;
}

static struct packet *take(struct wire *w)
{
	struct packet *p = w->first;

	if (p != NULL && (w->first = p->next) == NULL)
		w->last = &w->first;
	return p;
}

static struct l2tp_path path_of(uint32_t i)
{
	return (struct l2tp_path){
	        .local = {ipaddr_v4(0xc0000201), L2TP_PORT},
	        .remote = {ipaddr_v4(0xc0000250), (uint16_t)(10000 + i)},
	        .conn = 1,
	};
}

static void lns_send(void *ctx, const struct l2tp_path *path, const uint8_t *pkt, size_t len)
{
	queue(&((struct rig *)ctx)->down, path->remote.port - 10000u, pkt, len);
}

static void burst_send(void *ctx, uint32_t path, const uint8_t *pkt, size_t len)
{
	queue(&((struct rig *)ctx)->up, path, pkt, len);
}

static void burst_random(void *ctx, uint8_t *buf, size_t len)
{
	memset(buf, 0x77, len);
}

/* The last guess is right. */
static void burst_password(void *ctx, uint32_t n, char *buf, size_t size)
{
	if (n + 1 == ((struct rig *)ctx)->guesses)
		snprintf(buf, size, "%s", LNS_PASSWORD);
	else
		snprintf(buf, size, "guess-%u", n);
}

static const struct burst_ops ops = {
        .send = burst_send,
        .random = burst_random,
        .password = burst_password,
};

static void deliver(struct rig *r)
{
	struct packet *p;
	bool some = true;

	while (some) {
		some = false;
		if ((p = take(&r->up)) != NULL) {
			struct l2tp_path path = path_of(p->path);

			lns_rx(r->lns, &path, p->data, p->len, r->now_ms);
			some = true;
			free(p);
		}
		if ((p = take(&r->down)) != NULL) {
			burst_rx(r->burst, p->path, p->data, p->len, r->now_ms);
			some = true;
			free(p);
		}
	}
}

struct shape {
	uint32_t tunnels, calls, at_once, paths, drop_every;
};

static void attack(const char *host, const struct shape *a, struct burst_stats *b,
                   struct lns_stats *l)
{
	struct burst_conf conf = {
	        .host_name = host,
	        .user = "user",
	        .tunnels = a->tunnels,
	        .calls = a->calls,
	        .at_once = a->at_once,
	        .paths = a->paths,
	        .auth_methods = PPP_AUTH_CHAP_MD5,
	};
	struct rig rig = {.guesses = a->tunnels * a->calls, .now_ms = 1000}, *r = &rig;

	r->up.last = &r->up.first;
	r->down.last = &r->down.first;
	r->up.drop_every = r->down.drop_every = a->drop_every;
	r->lns = lns_new(&r->timers, lns_send, r);
	r->burst = burst_new(&conf, &ops, r, &r->timers, NULL);
	burst_start(r->burst, r->now_ms);
	for (int i = 0; i < 600 && !burst_over(r->burst); i++) {
		deliver(r);
		r->now_ms += 100;
		timerq_run(&r->timers, r->now_ms, 0);
		burst_again(r->burst, r->now_ms);
	}
	burst_stats_get(r->burst, b);
	lns_stats_get(r->lns, l);
	while (r->up.first != NULL)
		free(take(&r->up));
	while (r->down.first != NULL)
		free(take(&r->down));
	burst_free(r->burst);
	lns_free(r->lns);
}

static void test_calls(void)
{
	static const struct shape shape = {1, 200, 100, 1, 0};
	struct burst_stats b;
	struct lns_stats l;

	attack("standard", &shape, &b, &l);
	CU_ASSERT_EQUAL(l.judged, 200);
	CU_ASSERT_EQUAL(l.accepted, 1);
	CU_ASSERT_EQUAL(b.rejected, 199);
	CU_ASSERT_EQUAL(b.let_in, 1);
	attack("ss", &shape, &b, &l);
	CU_ASSERT_EQUAL(l.tunnels, 1);
	CU_ASSERT_EQUAL(l.calls, 1);
	CU_ASSERT_TRUE(l.calls_refused >= 100);
	CU_ASSERT_EQUAL(l.judged, 1);
	CU_ASSERT_EQUAL(b.rejected, 1);
	CU_ASSERT_EQUAL(b.links, 1);
}

/* More refusals than the LNS will keep for it end the tunnel. */
static void test_too_many_calls(void)
{
	static const struct shape shape = {1, 200, 0, 1, 0};
	struct burst_stats b;
	struct lns_stats l;

	attack("standard", &shape, &b, &l);
	CU_ASSERT_EQUAL(l.judged, 200);
	attack("ss", &shape, &b, &l);
	CU_ASSERT_EQUAL(b.tunnels_stopped, 1);
	CU_ASSERT_TRUE(l.judged <= 1);
}

static void test_tunnels(void)
{
	static const struct shape shape = {200, 1, 0, 1, 0};
	struct burst_stats b;
	struct lns_stats l;

	attack("standard", &shape, &b, &l);
	CU_ASSERT_EQUAL(l.judged, 200);
	CU_ASSERT_EQUAL(b.let_in, 1);
	attack("ss", &shape, &b, &l);
	CU_ASSERT_EQUAL(l.tunnels, 1);
	CU_ASSERT_EQUAL(b.tunnels_refused, 199);
	CU_ASSERT_EQUAL(l.judged, 1);
	CU_ASSERT_EQUAL(b.rejected, 1);
}

static void test_children(void)
{
	static const struct shape shape = {PATHS, 1, 0, PATHS, 0};
	struct burst_stats b;
	struct lns_stats l;

	attack("standard", &shape, &b, &l);
	CU_ASSERT_EQUAL(l.judged, PATHS);
	attack("ss", &shape, &b, &l);
	CU_ASSERT_EQUAL(l.judged, 1);
}

/* Loss costs it time, no guess. */
static void test_loss(void)
{
	static const struct shape shape = {20, 10, 0, 4, 7};
	struct burst_stats b;
	struct lns_stats l;

	attack("standard", &shape, &b, &l);
	CU_ASSERT_EQUAL(l.judged, 200);
	CU_ASSERT_TRUE(b.rejected + b.let_in > 100); /* a verdict may be lost, too */
	CU_ASSERT_TRUE(b.again > 0);
	attack("ss", &shape, &b, &l);
	CU_ASSERT_EQUAL(l.judged, 1);
}

/* Any bytes are safe, and none of them is a verdict. */
static void test_noise(void)
{
	struct burst_conf conf = {.host_name = "x",
	                          .user = "u",
	                          .tunnels = 2,
	                          .calls = 2,
	                          .paths = 1,
	                          .auth_methods = PPP_AUTH_PAP};
	struct rig r = {.guesses = 4};
	struct burst_stats st;
	uint8_t pkt[64];

	r.up.last = &r.up.first;
	r.burst = burst_new(&conf, &ops, &r, &r.timers, NULL);
	burst_start(r.burst, 0);
	srand(1);
	for (int i = 0; i < 20000; i++) {
		size_t len = (size_t)rand() % sizeof(pkt);

		for (size_t k = 0; k < len; k++)
			pkt[k] = (uint8_t)rand();
		if (i % 2 == 0 && len > 12)
			memcpy(pkt, "\xc8\x02\x00\x00\x00\x01\x00\x01\x00\x00\x00\x01", 12);
		if (i % 2 == 0 && len > 12)
			pkt[3] = (uint8_t)len;
		burst_rx(r.burst, 0, pkt, len, 1);
	}
	burst_stats_get(r.burst, &st);
	CU_ASSERT_EQUAL(st.rejected + st.let_in + st.links, 0);
	burst_free(r.burst);
	while (r.up.first != NULL)
		free(take(&r.up));
}

/* ---- ESP ---- */

static struct esp_sa *sa(struct esp *e, uint32_t spi, bool inbound, const struct esp_suite *suite)
{
	uint8_t key[80] = {1, 2, 3};
	struct esp_sa_conf conf = {
	        .spi = spi,
	        .inbound = inbound,
	        .suite = *suite,
	        .enc_key = key,
	        .auth_key = key + 8,
	        .enc_key_len = esp_suite_enc_key_len(suite),
	        .auth_key_len = esp_suite_auth_key_len(suite),
	        .replay_window = inbound ? 64 : 0,
	};

	return esp_sa_new(e, &conf);
}

static void test_esp(void)
{
	static const struct esp_suite suites[] = {
	        {ESP_AES_GCM, ESP_AUTH_AEAD, 32, 16},
	        {ESP_AES_CBC, ESP_HMAC_SHA1_96, 16, 0},
	        {ESP_AES_CBC, ESP_HMAC_SHA256_128, 32, 0},
	};
	struct endpoint client = {ipaddr_v4(1), 10007}, lns = {ipaddr_v4(2), L2TP_PORT};
	char why[256];
	struct esp *e = esp_new(why, sizeof(why));

	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
		struct esp_path a = {sa(e, 0x1001, true, &suites[i]),
		                     sa(e, 0x2001, false, &suites[i]), .from = client, .to = lns};
		struct esp_path b = {sa(e, 0x2001, true, &suites[i]),
		                     sa(e, 0x1001, false, &suites[i]), .from = lns, .to = client};

		for (size_t n = 0; n <= ESP_NET_PAYLOAD_MAX; n += n < 40 ? 1 : 97) {
			uint8_t in[ESP_NET_PAYLOAD_MAX], out[ESP_NET_PAYLOAD_MAX + 256];
			uint8_t again[ESP_NET_PAYLOAD_MAX + 256];
			const uint8_t *pkt, *got;
			size_t len, got_len;

			memset(in, (int)n, sizeof(in));
			pkt = esp_wrap(e, &a, in, n, out, &len);
			CU_ASSERT_PTR_NOT_NULL_FATAL(pkt);
			memcpy(again, pkt, len);
			got = esp_unwrap(e, &b, (uint8_t *)pkt, len, &got_len);
			CU_ASSERT_PTR_NOT_NULL_FATAL(got);
			CU_ASSERT_EQUAL(got_len, n);
			CU_ASSERT_EQUAL(memcmp(got, in, n), 0);
			CU_ASSERT_PTR_NULL(esp_unwrap(e, &b, again, len, &got_len)); /* a replay */
		}
		CU_ASSERT_EQUAL(a.tx, b.rx);
		CU_ASSERT_EQUAL(b.rx, b.rx_bad);
		esp_sa_free(a.in);
		esp_sa_free(a.out);
		esp_sa_free(b.in);
		esp_sa_free(b.out);
	}
	esp_free(e);
}

/* Ports that are not those of the selector, and packets that are too long. */
static void test_esp_refusals(void)
{
	static const struct esp_suite suite = {ESP_AES_GCM, ESP_AUTH_AEAD, 16, 16};
	char why[256];
	struct esp *e = esp_new(why, sizeof(why));
	struct esp_path a = {.out = sa(e, 0x2001, false, &suite),
	                     .from = {.port = 10000},
	                     .to = {.port = L2TP_PORT}};
	struct esp_path b = {.in = sa(e, 0x2001, true, &suite),
	                     .from = {.port = L2TP_PORT},
	                     .to = {.port = 10001}};
	uint8_t out[ESP_NET_PAYLOAD_MAX + 256], in[ESP_NET_PAYLOAD_MAX + 1] = {0};
	const uint8_t *pkt;
	size_t len;

	pkt = esp_wrap(e, &a, in, 10, out, &len);
	CU_ASSERT_PTR_NULL(esp_unwrap(e, &b, (uint8_t *)pkt, len, &len));
	CU_ASSERT_EQUAL(b.rx_bad, 1);
	CU_ASSERT_PTR_NULL(esp_wrap(e, &a, in, sizeof(in), out, &len));
	CU_ASSERT_PTR_NULL(esp_unwrap(e, &b, out, 7, &len));
	esp_sa_free(a.out);
	esp_sa_free(b.in);
	esp_free(e);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"calls", test_calls},     {"too_many_calls", test_too_many_calls},
	        {"tunnels", test_tunnels}, {"children", test_children},
	        {"loss", test_loss},       {"noise", test_noise},
	        {"esp", test_esp},         {"esp_refusals", test_esp_refusals},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("guess", tests);
}
