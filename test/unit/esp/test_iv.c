/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* IVs never repeat, and sequence numbers end where they end (RFC 4303 3.3.3). */
#include "unit/esp/rig.h"

#include <stdlib.h>

#define MANY 100000

static int by_value(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

/* The IVs of many packets with the same text, and in text their first block of ciphertext. */
static void collect(struct pair *p, unsigned int n, uint8_t (*iv)[16], uint8_t (*text)[16])
{
	static struct buf b[ESP_BURST_MAX];
	struct esp_pkt v[ESP_BURST_MAX];
	size_t iv_len = ref_iv_len(&p->ref);

	for (unsigned int at = 0; at < n;) {
		unsigned int k = n - at < ESP_BURST_MAX ? n - at : ESP_BURST_MAX;

		for (unsigned int i = 0; i < k; i++) {
			v[i] = (struct esp_pkt){.sa = p->out, .len = 40, .next_header = 17};
			v[i].data =
			        rig_buf(&b[i], esp_sa_head(p->out), 40, esp_sa_tail_max(p->out));
			memset(v[i].data, 0x55, 40);
		}
		esp_encrypt(rig_esp, v, (uint16_t)k);
		for (unsigned int i = 0; i < k; i++) {
			memset(iv[at + i], 0, 16);
			memcpy(iv[at + i], v[i].data + 8, iv_len);
			memcpy(text[at + i], v[i].data + 8 + iv_len, 16);
		}
		at += k;
	}
}

static unsigned int repeated(uint8_t (*a)[16], unsigned int n)
{
	unsigned int same = 0;

	qsort(a, n, 16, by_value);
	for (unsigned int i = 1; i < n; i++)
		same += memcmp(a[i - 1], a[i], 16) == 0;
	return same;
}

static const struct esp_suite kinds[] = {
        {ESP_AES_CBC, ESP_HMAC_SHA1_96, 16, 0},         {ESP_3DES_CBC, ESP_HMAC_SHA1_96, 24, 0},
        {ESP_AES_CTR, ESP_HMAC_SHA1_96, 16, 0},         {ESP_AES_GCM, ESP_AUTH_AEAD, 16, 16},
        {ESP_CHACHA20_POLY1305, ESP_AUTH_AEAD, 32, 16},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void test_unique(void)
{
	uint8_t(*iv)[16] = calloc(MANY, 16), (*text)[16] = calloc(MANY, 16);

	rig_seed(21);
	for (size_t i = 0; i < N_KINDS * 2; i++) {
		struct pair p;

		pair_make(&p, &kinds[i / 2], i % 2, 0);
		p.out->seq = i % 2 ? UINT32_MAX - MANY / 2 : 0;
		collect(&p, MANY, iv, text);
		CU_ASSERT_EQUAL(repeated(iv, MANY), 0);
		CU_ASSERT_EQUAL(repeated(text, MANY), 0);
		pair_free(&p);
	}
	free(iv);
	free(text);
}

/* CBC: two SAs start their counters apart, even with the same key. */
static void test_two_sas(void)
{
	uint8_t(*iv)[16] = calloc(2000, 16), (*text)[16] = calloc(2000, 16);

	for (size_t i = 0; i < 2; i++) {
		struct pair p, q;

		pair_make(&p, &kinds[i], false, 0);
		q.ref = p.ref;
		q.out = rig_sa(&q.ref, false, 0);
		q.in = rig_sa(&q.ref, true, 0);
		collect(&p, 1000, iv, text);
		collect(&q, 1000, iv + 1000, text + 1000);
		CU_ASSERT_EQUAL(repeated(iv, 2000), 0);
		CU_ASSERT_EQUAL(repeated(text, 2000), 0);
		CU_ASSERT_NOT_EQUAL(p.out->iv_seed, q.out->iv_seed);
		pair_free(&p);
		pair_free(&q);
	}
	free(iv);
	free(text);
}

/* What is on the wire: E(counter), or the number. */
static void test_wire(void)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		uint8_t iv[10][16], text[10][16], want[16] = {0};
		struct pair p;

		pair_make(&p, &kinds[i], true, 0);
		p.out->seq = 0x2fffffffbull; /* wraps at the fifth */
		collect(&p, 10, iv, text);
		for (unsigned int k = 0; k < 10; k++) {
			if (i < 2)
				ref_cbc_iv(&p.ref, p.out->iv_seed + 0x2fffffffcull + k, want);
			else
				esp_put64(want, 0x2fffffffcull + k);
			CU_ASSERT_EQUAL(memcmp(iv[k], want, ref_iv_len(&p.ref)), 0);
		}
		pair_free(&p);
	}
}

/* Encrypts n packets at once; the numbers of those that pass must follow last. */
static void burst(struct pair *p, uint16_t n, uint16_t pass, uint64_t last)
{
	static struct buf b[ESP_BURST_MAX];
	struct esp_pkt v[ESP_BURST_MAX];
	uint8_t out[RIG_MAX], next_header;

	p->out->seq = last;
	for (uint16_t i = 0; i < n; i++) {
		v[i] = (struct esp_pkt){.sa = p->out, .len = 40, .next_header = 17};
		v[i].data = rig_buf(&b[i], esp_sa_head(p->out), 40, esp_sa_tail_max(p->out));
		memset(v[i].data, (uint8_t)i, 40);
	}
	esp_encrypt(rig_esp, v, n);
	for (uint16_t i = 0; i < n; i++) {
		if (i < pass) {
			CU_ASSERT_EQUAL(v[i].status, ESP_OK);
			CU_ASSERT_EQUAL(ref_decrypt(&p->ref, last + 1 + i, v[i].data, v[i].len, out,
			                            &next_header),
			                40);
		} else {
			CU_ASSERT_EQUAL(v[i].status, ESP_SEQ_END);
			CU_ASSERT_EQUAL(v[i].len, 40);
			CU_ASSERT_EQUAL(v[i].data[0], (uint8_t)i);
			CU_ASSERT_EQUAL(v[i].data[39], (uint8_t)i);
			CU_ASSERT_PTR_EQUAL(v[i].data,
			                    b[i].bytes + RIG_GUARD + esp_sa_head(p->out));
		}
	}
	CU_ASSERT_EQUAL(esp_sa_seq(p->out), last + pass);
}

static void test_end(void)
{
	for (size_t i = 0; i < esp_n_kats; i++) {
		struct pair p;

		pair_make(&p, &esp_kats[i].suite, false, 0);
		burst(&p, 3, 3, 0);
		burst(&p, 5, 3, UINT32_MAX - 3);
		burst(&p, 2, 0, UINT32_MAX);
		pair_free(&p);
		pair_make(&p, &esp_kats[i].suite, true, 0);
		burst(&p, 5, 5, UINT32_MAX - 3);
		burst(&p, 5, 3, UINT64_MAX - 3);
		burst(&p, 2, 0, UINT64_MAX);
		pair_free(&p);
	}
}

/* One SA at its end does not stop the others of the vector. */
static void test_end_mixed(void)
{
	static struct buf b[3];
	struct esp_pkt v[3];
	struct pair p, q;

	pair_make(&p, &kinds[0], false, 0);
	pair_make(&q, &kinds[0], false, 0);
	q.out->seq = UINT32_MAX;
	for (int i = 0; i < 3; i++) {
		v[i] = (struct esp_pkt){.sa = i == 1 ? q.out : p.out, .len = 40, .next_header = 17};
		v[i].data = rig_buf(&b[i], esp_sa_head(p.out), 40, esp_sa_tail_max(p.out));
	}
	esp_encrypt(rig_esp, v, 3);
	CU_ASSERT_EQUAL(v[0].status, ESP_OK);
	CU_ASSERT_EQUAL(v[1].status, ESP_SEQ_END);
	CU_ASSERT_EQUAL(v[2].status, ESP_OK);
	CU_ASSERT_EQUAL(esp_sa_seq(p.out), 2);
	pair_free(&p);
	pair_free(&q);
}

CU_TestInfo tests_iv[] = {
        {"100,000 packets, no IV twice", test_unique},
        {"two SAs of one key, no IV twice", test_two_sas},
        {"IVs on the wire", test_wire},
        {"the last numbers", test_end},
        {"one SA at its end among others", test_end_mixed},
        CU_TEST_INFO_NULL,
};
