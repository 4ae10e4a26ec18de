/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What charon may ask for: which SAs are made, which are refused, and what means nothing. */
#include "control/rig_ipsec.h"
#include "must.h"
#include "suite.h"

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

static uint32_t pick(uint64_t *seed, uint32_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % below;
}

/* Messages that are well-formed and mean nothing, in any order: no harm, and nothing is left. */
static void test_nonsense(void)
{
	struct rig *r = linked();
	struct rig_pair given[16] = {0};
	uint64_t seed = 1;

	for (uint32_t i = 0; i < 200000; i++) {
		const struct rig_pair *known = &given[pick(&seed, 16)];
		struct rig_pair p = {
		        .ike = pick(&seed, 4) != 0 ? known->ike : pick(&seed, 6),
		        .spi_in = known->spi_in,
		        .spi_out = 0x10000 + pick(&seed, 20),
		        .port = (uint16_t)(1700 + pick(&seed, 4)),
		        .life = {.hard_s = pick(&seed, 9)},
		};
		struct sslink_msg m = rig_add_msg(&p, pick(&seed, 2));
		struct sslink_ike_rekey rekey = {
		        .old_id = p.ike, .new_id = pick(&seed, 6), .n_spis = 2};

		rekey.spis[0] = p.spi_in;
		rekey.spis[1] = p.spi_in ^ 64;
		m.type = 1 + pick(&seed, SSLINK_TYPE_MAX - 1);
		if (pick(&seed, 3) != 0)
			m.type = pick(&seed, 4) == 0 ? SSLINK_GET_SPI : SSLINK_ADD_SA;
		if (pick(&seed, 1000) == 0)
			rig_link_up(r, 1 + pick(&seed, 3));
		if (pick(&seed, 3000) == 0)
			rig_link_hello(r, 1 + pick(&seed, 3));
		if (m.type == SSLINK_GET_SPI)
			m.get_spi = (struct sslink_get_spi){.ike = rig_ike(pick(&seed, 6))};
		else if (m.type == SSLINK_IKE_UP)
			m.ike_up = rig_ike(p.ike);
		else if (m.type >= SSLINK_IKE_DOWN && m.type <= SSLINK_CHILDREN_MIGRATE)
			m.ike_rekey = rekey;
		else if (m.type == SSLINK_ADD_SA)
			m.add_sa.resync = pick(&seed, 3) == 0;
		else if (m.type == SSLINK_DEL_SA || m.type == SSLINK_QUERY_SA)
			m.sa_id = (struct sslink_sa_id){.spi = p.spi_in, .inbound = true};
		else if (m.type == SSLINK_UPDATE_SA)
			m.update_sa = (struct sslink_update_sa){.spi = p.spi_in, .inbound = true};
		r->hold_tickets = pick(&seed, 3) == 0;
		r->fifo_full = pick(&seed, 5) == 0;
		if (rig_ask(r, &m) == SSLINK_OK && m.type == SSLINK_GET_SPI)
			given[pick(&seed, 16)] = (struct rig_pair){
			        .ike = m.get_spi.ike.id,
			        .spi_in = r->charon.answer.spi,
			};
		if (pick(&seed, 10) == 0)
			rig_run(r, pick(&seed, 1000));
	}
	CU_ASSERT_TRUE(rig_ipsec_stats(r).sas_total > 1000);
	r->hold_tickets = false;
	rig_link_up(r, 9);
	rig_free(r);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"refusals", test_refusals},
	        {"suites", test_suites},
	        {"nonsense", test_nonsense},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("control over ipsec: refusals", tests);
}
