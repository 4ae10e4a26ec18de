/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* charon's requests: what is refused, when an answer is given, lifetimes, limits, static SAs. */
#include "control/rig_ipsec.h"
#include "must.h"
#include "suite.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

static struct rig *linked(void)
{
	struct rig *r = must_rig();

	rig_link_up(r, 1);
	return r;
}

typedef void (*spoil_fn)(struct sslink_add_sa *a);

static void v6_outer(struct sslink_add_sa *a)
{
	a->src.addr.family = AF_INET6;
}
static void no_encap_port(struct sslink_add_sa *a)
{
	a->encap = true;
}
static void reserved_spi(struct sslink_add_sa *a)
{
	a->spi = 255;
}
static void tcp(struct sslink_add_sa *a)
{
	a->local_ts.proto = a->remote_ts.proto = IPPROTO_TCP;
}
static void any_proto(struct sslink_add_sa *a)
{
	a->remote_ts.proto = 0;
}
static void other_port(struct sslink_add_sa *a)
{
	a->local_ts.port_first = a->local_ts.port_last = 1702;
}
static void port_range(struct sslink_add_sa *a)
{
	a->local_ts.port_first = 1700;
}
static void peer_range(struct sslink_add_sa *a)
{
	a->remote_ts.port_first = 1000;
	a->remote_ts.port_last = 2000;
}
static void opaque(struct sslink_add_sa *a)
{
	a->remote_ts.port_first = 0xffff;
	a->remote_ts.port_last = 0;
}
static void peer_net(struct sslink_add_sa *a)
{
	a->remote_ts.last = ipaddr_v4(RIG_PEER + 1);
}
static void our_net(struct sslink_add_sa *a)
{
	a->local_ts.first = ipaddr_v4(RIG_LNS - 1);
}
static void v6_selector(struct sslink_add_sa *a)
{
	a->remote_ts.first.family = a->remote_ts.last.family = AF_INET6;
}
static void unknown_cipher(struct sslink_add_sa *a)
{
	a->enc_alg = 5;
}
static void short_key(struct sslink_add_sa *a)
{
	a->enc_key_len = 15;
}
static void no_hash(struct sslink_add_sa *a)
{
	a->auth_alg = 1024;
	a->auth_key_len = 0;
}
static void md5(struct sslink_add_sa *a)
{
	a->auth_alg = 1;
	a->auth_key_len = 16;
}
static void hash_key(struct sslink_add_sa *a)
{
	a->auth_key_len = 31;
}
static void gcm_and_hash(struct sslink_add_sa *a)
{
	a->enc_alg = 20;
	a->enc_key_len = 20;
}
static void huge_window(struct sslink_add_sa *a)
{
	a->replay_window = 5000;
}
static void other_ike(struct sslink_add_sa *a)
{
	a->ike.id = 2;
}
static void unknown_ike(struct sslink_add_sa *a)
{
	a->ike.id = 77;
}
static void no_ike(struct sslink_add_sa *a)
{
	a->ike.id = 0;
}
static void unknown_spi(struct sslink_add_sa *a)
{
	a->spi ^= 0x40000;
}

static void test_refusals(void)
{
	static const struct {
		const char *name;
		spoil_fn spoil;
		uint8_t status;
	} cases[] = {
	        {"v6 outer", v6_outer, SSLINK_UNSUPPORTED},
	        {"no encapsulation port", no_encap_port, SSLINK_UNSUPPORTED},
	        {"reserved SPI", reserved_spi, SSLINK_UNSUPPORTED},
	        {"TCP", tcp, SSLINK_UNSUPPORTED},
	        {"any protocol", any_proto, SSLINK_UNSUPPORTED},
	        {"not 1701", other_port, SSLINK_UNSUPPORTED},
	        {"port range", port_range, SSLINK_UNSUPPORTED},
	        {"peer's port range", peer_range, SSLINK_UNSUPPORTED},
	        {"opaque ports", opaque, SSLINK_UNSUPPORTED},
	        {"peer's network", peer_net, SSLINK_UNSUPPORTED},
	        {"our network", our_net, SSLINK_UNSUPPORTED},
	        {"v6 selector", v6_selector, SSLINK_UNSUPPORTED},
	        {"unknown cipher", unknown_cipher, SSLINK_UNSUPPORTED},
	        {"short key", short_key, SSLINK_UNSUPPORTED},
	        {"no hash", no_hash, SSLINK_UNSUPPORTED},
	        {"MD5", md5, SSLINK_UNSUPPORTED},
	        {"hash key", hash_key, SSLINK_UNSUPPORTED},
	        {"GCM and hash", gcm_and_hash, SSLINK_UNSUPPORTED},
	        {"huge window", huge_window, SSLINK_UNSUPPORTED},
	        {"another IKE_SA", other_ike, SSLINK_REFUSED},
	        {"unknown IKE_SA", unknown_ike, SSLINK_REFUSED},
	        {"no IKE_SA", no_ike, SSLINK_REFUSED},
	        {"unknown SPI", unknown_spi, SSLINK_REFUSED},
	};
	struct rig *r = linked();
	uint64_t n = 0;

	rig_ike_up(r, 1);
	rig_ike_up(r, 2);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig_pair p = {.ike = 1, .spi_out = 4711};
		struct sslink_msg m;

		CU_ASSERT_EQUAL(rig_get_spi(r, 1, &p.spi_in), SSLINK_OK);
		m = rig_add_msg(&p, true);
		cases[i].spoil(&m.add_sa);
		if (rig_ask(r, &m) != cases[i].status) {
			CU_FAIL("another status");
			fprintf(stderr, "case \"%s\": %u\n", cases[i].name,
			        r->charon.answer.status);
		}
		CU_ASSERT_EQUAL(rig_del_sa(r, p.spi_in, true), SSLINK_OK);
		CU_ASSERT_EQUAL(r->n_spis, 0);
		CU_ASSERT_EQUAL(r->n_children, 0);
	}
	for (int i = 0; i < SSLINK_STATUS_MAX; i++)
		n += rig_ipsec_stats(r).refused[i];
	CU_ASSERT_EQUAL(n, sizeof(cases) / sizeof(cases[0]));
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_now, 0);
	rig_free(r);
}

static void test_suites(void)
{
	static const struct {
		uint16_t enc, enc_len, auth, auth_len;
		struct esp_suite want;
	} cases[] = {
	        {12, 16, 2, 20, {ESP_AES_CBC, ESP_HMAC_SHA1_96, 16, 0}},
	        {12, 24, 13, 48, {ESP_AES_CBC, ESP_HMAC_SHA384_192, 24, 0}},
	        {12, 32, 14, 64, {ESP_AES_CBC, ESP_HMAC_SHA512_256, 32, 0}},
	        {13, 20, 12, 32, {ESP_AES_CTR, ESP_HMAC_SHA256_128, 16, 0}},
	        {3, 24, 2, 20, {ESP_3DES_CBC, ESP_HMAC_SHA1_96, 24, 0}},
	        {11, 0, 12, 32, {ESP_NULL, ESP_HMAC_SHA256_128, 0, 0}},
	        {18, 20, 0, 0, {ESP_AES_GCM, ESP_AUTH_AEAD, 16, 8}},
	        {19, 28, 1024, 0, {ESP_AES_GCM, ESP_AUTH_AEAD, 24, 12}},
	        {20, 36, 1024, 0, {ESP_AES_GCM, ESP_AUTH_AEAD, 32, 16}},
	        {28, 36, 0, 0, {ESP_CHACHA20_POLY1305, ESP_AUTH_AEAD, 32, 16}},
	};
	struct rig *r = linked();

	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig_pair p = {.ike = i + 1, .spi_out = 4711 + i};
		const struct dp_sa *s;
		struct sslink_msg m;

		rig_ike_up(r, p.ike);
		CU_ASSERT_EQUAL(rig_get_spi(r, p.ike, &p.spi_in), SSLINK_OK);
		for (int inbound = 1; inbound >= 0; inbound--) {
			m = rig_add_msg(&p, inbound);
			m.add_sa.enc_alg = cases[i].enc;
			m.add_sa.enc_key_len = cases[i].enc_len;
			m.add_sa.auth_alg = cases[i].auth;
			m.add_sa.auth_key_len = cases[i].auth_len;
			CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
		}
		s = &r->sa[rig_sa_id(r, p.spi_in, true) % RIG_SAS].s;
		CU_ASSERT_EQUAL(s->suite.cipher, cases[i].want.cipher);
		CU_ASSERT_EQUAL(s->suite.auth, cases[i].want.auth);
		CU_ASSERT_EQUAL(s->suite.key_len, cases[i].want.key_len);
		CU_ASSERT_EQUAL(s->suite.icv_len, cases[i].want.icv_len);
		CU_ASSERT_EQUAL(s->enc_key_len, cases[i].enc_len);
		/* the outbound one knows its pair */
		CU_ASSERT_EQUAL(r->sa[rig_sa_id(r, p.spi_out, false) % RIG_SAS].s.pair,
		                rig_sa_id(r, p.spi_in, true));
	}
	rig_free(r);
}

/* An answer tells that the workers have applied it. */
static void test_applied(void)
{
	struct rig *r = linked();
	struct rig_pair p = {.ike = 1, .spi_out = 4711};
	struct sslink_msg m;

	rig_ike_up(r, 1);
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &p.spi_in), SSLINK_OK);
	r->hold_tickets = true;
	m = rig_add_msg(&p, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), RIG_NONE);
	rig_run(r, 500);
	CU_ASSERT_FALSE(r->charon.answered);
	r->hold_tickets = false;
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_TRUE(r->charon.answered && r->charon.answer.status == SSLINK_OK);
	r->hold_tickets = true;
	CU_ASSERT_EQUAL(rig_del_sa(r, p.spi_in, true), RIG_NONE);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	r->hold_tickets = false;
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_TRUE(r->charon.answered && r->charon.answer.status == SSLINK_OK);
	/* the link that asked is gone: nobody else hears it */
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &p.spi_in), SSLINK_OK);
	r->hold_tickets = true;
	m = rig_add_msg(&p, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), RIG_NONE);
	ctl_ike_link_down(r->ctl, r->now_ms);
	ctl_ike_link_up(r->ctl, r->now_ms);
	r->hold_tickets = false;
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_FALSE(r->charon.answered);
	rig_link_up(r, 1);
	rig_free(r);
}

/* Orders that do not fit are given again, and then answered. */
static void test_full_fifo(void)
{
	struct rig *r = linked();
	struct rig_pair p = {.ike = 1, .spi_out = 4711};
	struct endpoint us = {ipaddr_v4(RIG_LNS), 4500}, them = {ipaddr_v4(RIG_PEER), 4500};
	struct sslink_msg m;

	rig_ike_up(r, 1);
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &p.spi_in), SSLINK_OK);
	r->fifo_full = true;
	m = rig_add_msg(&p, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), RIG_NONE);
	rig_run(r, 100);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	r->fifo_full = false;
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_TRUE(r->charon.answered && r->charon.answer.status == SSLINK_OK);
	CU_ASSERT_EQUAL(r->n_sas, 1);
	/* deleted while it waits */
	r->fifo_full = true;
	m = rig_add_msg(&p, false);
	CU_ASSERT_EQUAL(rig_ask(r, &m), RIG_NONE);
	CU_ASSERT_EQUAL(rig_del_sa(r, p.spi_out, false), SSLINK_OK);
	r->fifo_full = false;
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_EQUAL(r->n_sas, 1);
	m = rig_add_msg(&p, false);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	r->fifo_full = true;
	m = (struct sslink_msg){.type = SSLINK_UPDATE_SA};
	m.update_sa = (struct sslink_update_sa){.spi = p.spi_out,
	                                        .encap = true,
	                                        .src = us,
	                                        .dst = them,
	                                        .new_src = us,
	                                        .new_dst = them};
	CU_ASSERT_EQUAL(rig_ask(r, &m), RIG_NONE);
	r->fifo_full = false;
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_TRUE(r->charon.answered && r->charon.answer.status == SSLINK_OK);
	CU_ASSERT_TRUE(r->sa[rig_sa_id(r, p.spi_out, false) % RIG_SAS].s.encap);
	r->fifo_full = true;
	CU_ASSERT_EQUAL(rig_del_sa(r, p.spi_out, false), RIG_NONE);
	rig_ike_down(r, 1);
	rig_run(r, 100);
	CU_ASSERT_EQUAL(r->n_sas, 2);
	CU_ASSERT_EQUAL(r->n_children, 1);
	r->fifo_full = false;
	ctl_tick(r->ctl, r->now_ms);
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(r->n_children, 0);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_now, 0);
	/* refused when it fits at last */
	rig_ike_up(r, 2);
	p.ike = 2;
	CU_ASSERT_EQUAL(rig_get_spi(r, 2, &p.spi_in), SSLINK_OK);
	r->fifo_full = true;
	m = rig_add_msg(&p, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), RIG_NONE);
	r->fifo_full = false;
	r->n_sas += 5;
	r->sa_limit = 1;
	ctl_tick(r->ctl, r->now_ms);
	CU_ASSERT_TRUE(r->charon.answered && r->charon.answer.status == SSLINK_NO_RESOURCES);
	r->n_sas -= 5;
	CU_ASSERT_EQUAL(rig_del_sa(r, p.spi_in, true), SSLINK_OK);
	CU_ASSERT_EQUAL(r->n_spis, 0);
	rig_free(r);
}

static void test_limits(void)
{
	struct rig *r = linked();
	struct rig_pair p = {0};
	uint32_t spi;

	rig_ike_up(r, 1);
	for (int i = 0; i < 64; i++)
		CU_ASSERT_EQUAL(rig_get_spi(r, 1, &spi), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &spi), SSLINK_NO_RESOURCES);
	rig_run(r, 166000); /* charon forgot them */
	CU_ASSERT_EQUAL(r->n_spis, 0);
	for (uint16_t i = 0; i < 64; i++)
		CU_ASSERT_EQUAL(rig_child_up(r, 1, (uint16_t)(1000 + i), &p), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 5000, &p), SSLINK_NO_RESOURCES);
	for (int i = 0; i < 7; i++)
		CU_ASSERT_EQUAL(rig_child_up(r, 1, 1000, &p), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 1000, &p), SSLINK_NO_RESOURCES);
	r->sa_limit = r->n_sas;
	rig_ike_up(r, 2);
	CU_ASSERT_EQUAL(rig_child_up(r, 2, 0, &p), SSLINK_NO_RESOURCES);
	r->sa_limit++;
	CU_ASSERT_EQUAL(rig_child_up(r, 2, 0, &p),
	                SSLINK_NO_RESOURCES); /* no room for the second */
	CU_ASSERT_EQUAL(r->n_sas, r->sa_limit - 1);
	CU_ASSERT_EQUAL(r->n_children, 64);
	rig_free(r);
}

/* Requests in a strange order. */
static void test_strange(void)
{
	struct rig *r = linked();
	struct rig_pair p = {.ike = 1, .spi_out = 4711}, q = {.ike = 2, .spi_out = 4711};
	struct sslink_msg m;

	/* an IKE_SA that never was up and gave up: nothing is left of it */
	CU_ASSERT_EQUAL(rig_get_spi(r, 5, &p.spi_in), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_now, 1);
	CU_ASSERT_EQUAL(rig_del_sa(r, p.spi_in, true), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_now, 0);
	/* one that had a CHILD_SA has had its connection (E1), up or not, until charon tells its end */
	CU_ASSERT_EQUAL(rig_child_up(r, 5, 0, &q), SSLINK_OK);
	rig_child_down(r, &q);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_now, 1);
	CU_ASSERT_EQUAL(rig_child_up(r, 5, 0, &q), SSLINK_OK);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_total, 1);
	rig_ike_down(r, 5);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).ike_now, 0);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_now, 0);
	rig_ike_up(r, 1);
	rig_ike_up(r, 2);
	m = rig_add_msg(&p, false);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_REFUSED); /* no inbound one yet */
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &p.spi_in), SSLINK_OK);
	m = rig_add_msg(&p, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	m = rig_add_msg(&p, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_REFUSED); /* twice */
	m = rig_add_msg(&p, false);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	/* another client behind the same NAT happens to choose the same SPI */
	q.ike = 2;
	q.spi_out = 4711;
	q.port = 0;
	CU_ASSERT_EQUAL(rig_get_spi(r, 2, &q.spi_in), SSLINK_OK);
	m = rig_add_msg(&q, true);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	m = rig_add_msg(&q, false);
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_REFUSED);
	/* what is not known */
	CU_ASSERT_EQUAL(rig_del_sa(r, 0x12345678, true), SSLINK_OK);
	m = (struct sslink_msg){.type = SSLINK_QUERY_SA, .sa_id = {.spi = 1, .inbound = true}};
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_REFUSED);
	m = (struct sslink_msg){.type = SSLINK_UPDATE_SA};
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_REFUSED);
	m = (struct sslink_msg){.type = SSLINK_ADD_SA, .add_sa = {.resync = true}};
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_BUSY); /* not in this state of the link */
	rig_ike_rekey(r, 98, 99);
	rig_ike_down(r, 98);
	rig_ike_down(r, 99);
	m = (struct sslink_msg){.type = SSLINK_EXPIRE};
	rig_tell(r, &m);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).bad_messages, 1);
	/* .. and what is */
	m = (struct sslink_msg){.type = SSLINK_QUERY_SA,
	                        .sa_id = {.spi = p.spi_in, .inbound = true}};
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	CU_ASSERT_EQUAL(r->charon.answer.a, 300);
	CU_ASSERT_EQUAL(r->charon.answer.b, 3);
	CU_ASSERT_EQUAL(r->charon.answer.c, 7);
	m = (struct sslink_msg){.type = SSLINK_FLUSH_SAS};
	CU_ASSERT_EQUAL(rig_ask(r, &m), SSLINK_OK);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_now, 0);
	ctl_shutdown(r->ctl, r->now_ms);
	CU_ASSERT_EQUAL(rig_get_spi(r, 1, &p.spi_in), SSLINK_REFUSED);
	rig_free(r);
}

/* charon has no clock for its CHILD_SAs: ours tells it, and at the hard end nothing is waited for. */
static void test_lifetimes(void)
{
	struct rig *r = linked();
	struct rig_pair p = {.life = {.soft_s = 3000, .hard_s = 3600}}, q = {0};
	uint64_t conn = rig_connect(r, 1, 0, &p);
	struct ctl_conn_view v;

	rig_dial(r, "ss-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	v = rig_conn_view(r, conn);
	CU_ASSERT_EQUAL(v.sas[0].hard_left_s, 3600);
	CU_ASSERT_FALSE(v.sas[0].inbound); /* newest first */
	rig_run(r, 3000000 - UP_MS);
	CU_ASSERT_EQUAL(r->charon.n_soft, 2);
	CU_ASSERT_EQUAL(rig_child_up(r, 1, 0, &q), SSLINK_OK);
	rig_run(r, 600000);
	CU_ASSERT_EQUAL(r->charon.n_hard, 2);
	CU_ASSERT_EQUAL(r->n_sas, 2);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	CU_ASSERT_EQUAL(rig_del_sa(r, p.spi_in, true), SSLINK_OK); /* as charon does now */
	/* bytes and sequence numbers: the workers' events */
	rig_sa_event(r, q.spi_out, false, DP_SA_FIRST, NULL);
	rig_sa_event(r, q.spi_out, false, DP_SA_SOFT, NULL);
	rig_sa_event(r, q.spi_out, false, DP_SA_SOFT, NULL);
	CU_ASSERT_EQUAL(r->charon.n_soft, 3);
	rig_sa_event(r, q.spi_in, true, DP_SA_HARD, NULL);
	rig_sa_event(r, q.spi_out, false, DP_SA_HARD, NULL);
	rig_sa_event(r, q.spi_out, false, DP_SA_HARD, NULL);
	CU_ASSERT_EQUAL(r->charon.n_hard, 4);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(must_fired(r, conn), SS_IPSEC_DOWN);
	CU_ASSERT_EQUAL(must_stats(r).sessions.live, 0);
	rig_free(r);
}

/* E31: the same with nobody at the other end of the link. */
static void test_hard_without_charon(void)
{
	struct rig *r = linked();
	struct rig_pair p = {.life = {.soft_s = 100, .hard_s = 200}};
	uint64_t conn = rig_connect(r, 1, 0, &p);

	rig_dial(r, "std-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	ctl_ike_link_down(r->ctl, r->now_ms);
	rig_run(r, 150000);
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	CU_ASSERT_EQUAL(r->charon.n_soft, 0);
	rig_run(r, 60000);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(must_stats(r).sessions.live, 0);
	CU_ASSERT_EQUAL(rig_conn_view(r, conn).state, CTL_CONN_NO_SA);
	rig_free(r);
}

static void test_clear(void)
{
	struct rig *r = linked();
	uint64_t conn = rig_connect(r, 1, 0, NULL), idle = rig_connect(r, 2, 0, NULL);
	struct ctl_conn_view v;
	uint32_t cursor = 0, n = 0;

	rig_dial(r, "std-ipsec", 1701, conn, 1, "pass1");
	rig_run(r, UP_MS);
	while (ctl_conn_next(r->ctl, &cursor, r->now_ms, &v))
		n++;
	CU_ASSERT_EQUAL(n, 2);
	CU_ASSERT_EQUAL(rig_ipsec_stats(r).conns_up, 2);
	CU_ASSERT_EQUAL(ctl_clear_conn(r->ctl, conn, r->now_ms), 0);
	CU_ASSERT_EQUAL(r->n_sas, 2);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 1);
	rig_run(r, 100);
	CU_ASSERT_EQUAL(r->tunnels_gone, 1); /* it was told */
	CU_ASSERT_EQUAL(ctl_clear_conn(r->ctl, conn, r->now_ms), 0); /* no second signal */
	CU_ASSERT_EQUAL(ctl_clear_conn(r->ctl, idle, r->now_ms), 0);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 2);
	rig_ike_down(r, 2);
	CU_ASSERT_EQUAL(ctl_clear_conn(r->ctl, idle, r->now_ms), -ENOENT);
	CU_ASSERT_EQUAL(ctl_clear_conn(r->ctl, 0, r->now_ms), -ENOENT);
	CU_ASSERT_FALSE(ctl_conn_get(r->ctl, idle, r->now_ms, &v));
	CU_ASSERT_STRING_EQUAL(ctl_conn_state_name(CTL_CONN_NO_SA), "no-sa");
	rig_free(r);
}

static void test_static(void)
{
	static const uint8_t key[64] = {1};
	struct ctl_static_sa s = {
	        .name = "lab",
	        .spi_in = 0x00001001,
	        .spi_out = 0x00001002,
	        .local = {ipaddr_v4(RIG_LNS), 0},
	        .peer = {ipaddr_v4(RIG_PEER), 0},
	        .suite = {ESP_AES_CBC, ESP_HMAC_SHA1_96, 16, 12},
	        .enc_key_in = key,
	        .auth_key_in = key,
	        .enc_key_out = key,
	        .auth_key_out = key,
	        .replay_window = 64,
	};
	struct rig *r = must_rig();
	struct ctl_conn_view v;
	uint32_t cursor = 0;

	CU_ASSERT_EQUAL_FATAL(ctl_static_sa_add(r->ctl, &s, r->now_ms), 0);
	CU_ASSERT_EQUAL(ctl_static_sa_add(r->ctl, &s, r->now_ms), -EEXIST);
	s.spi_out = 0x1003;
	CU_ASSERT_EQUAL(ctl_static_sa_add(r->ctl, &s, r->now_ms), -EBUSY);
	s.spi_in = 0x2005; /* of worker 5, which there is not */
	CU_ASSERT_EQUAL(ctl_static_sa_add(r->ctl, &s, r->now_ms), -EINVAL);
	s.spi_in = 0x2000;
	s.suite.cipher = ESP_AES_GCM;
	CU_ASSERT_EQUAL(ctl_static_sa_add(r->ctl, &s, r->now_ms), -EINVAL);
	s.suite.cipher = ESP_AES_CBC;
	s.peer.addr.family = AF_INET6;
	CU_ASSERT_EQUAL(ctl_static_sa_add(r->ctl, &s, r->now_ms), -EAFNOSUPPORT);
	CU_ASSERT_TRUE_FATAL(ctl_conn_next(r->ctl, &cursor, r->now_ms, &v));
	CU_ASSERT_FALSE(ctl_conn_next(r->ctl, &cursor, r->now_ms, &v));
	CU_ASSERT_TRUE(v.is_static && v.state == CTL_CONN_UP && v.n_sas == 2);
	CU_ASSERT_STRING_EQUAL(v.profile, "lab");
	CU_ASSERT_EQUAL(v.worker, 1);
	rig_dial(r, "ss-ipsec", 1701, v.id, 1, "pass1");
	rig_run(r, UP_MS);
	CU_ASSERT_EQUAL(r->networks_up, 1);
	rig_link_up(r, 5); /* charon has nothing to do with it */
	CU_ASSERT_EQUAL(must_stats(r).sessions.active, 1);
	ctl_clear_tunnel(r->ctl, must_newest_tunnel(r).id, r->now_ms);
	rig_run(r, 900);
	CU_ASSERT_EQUAL(r->n_sas, 0);
	CU_ASSERT_EQUAL(r->n_disconnected, 1);
	CU_ASSERT_EQUAL(r->charon.n_terminate, 0);
	rig_free(r);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"refusals", test_refusals},
	        {"suites", test_suites},
	        {"answers wait for workers", test_applied},
	        {"full FIFO", test_full_fifo},
	        {"limits", test_limits},
	        {"strange requests", test_strange},
	        {"lifetimes", test_lifetimes},
	        {"hard lifetime without charon (E31)", test_hard_without_charon},
	        {"clear", test_clear},
	        {"static SAs", test_static},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("control over ipsec: SAs", tests);
}
