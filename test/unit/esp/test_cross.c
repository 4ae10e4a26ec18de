/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Every suite, with and without ESN, every length, every size of vector, against OpenSSL. */
#include "esp/lanes.h"
#include "unit/esp/rig.h"

#include <stdlib.h>

#define LONGEST 1500
#define N_PAIRS (esp_n_kats * 2)

/* Packets at work, too large for a stack. */
struct work {
	struct buf buf[ESP_BURST_MAX];
	struct esp_pkt v[ESP_BURST_MAX];
	uint8_t text[ESP_BURST_MAX][LONGEST];
	uint16_t len[ESP_BURST_MAX];
	struct pair *pair[ESP_BURST_MAX];
	uint8_t next_header[ESP_BURST_MAX];
};

static struct pair *make_pairs(void)
{
	struct pair *p = calloc(N_PAIRS, sizeof(*p));

	for (size_t i = 0; i < N_PAIRS; i++) {
		pair_make(&p[i], &esp_kats[i / 2].suite, i % 2, 4096);
		/* so that the low half wraps in the course of the test */
		pair_seq(&p[i], i % 2 ? 0x7fffffe00ull : 0);
	}
	return p;
}

static void free_pairs(struct pair *p)
{
	for (size_t i = 0; i < N_PAIRS; i++)
		pair_free(&p[i]);
	free(p);
}

/* Every (pair, length) once, in random order. */
static uint32_t *make_order(size_t n)
{
	uint32_t *order = malloc(n * sizeof(*order));

	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	for (size_t i = n - 1; i > 0; i--) {
		size_t j = rig_random() % (i + 1);
		uint32_t t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
	return order;
}

static void choose(struct work *w, struct pair *pairs, const uint32_t *order, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		w->pair[i] = &pairs[order[i] % N_PAIRS];
		w->len[i] = (uint16_t)(order[i] / N_PAIRS + 1);
		w->next_header[i] = (uint8_t)(rig_random() % 59);
		rig_fill(w->text[i], w->len[i]);
	}
}

static void check_decrypted(struct work *w, uint16_t n, struct tally *t)
{
	char name[40];

	for (uint16_t i = 0; i < n; i++) {
		const struct esp_pkt *v = &w->v[i];

		esp_suite_name(&w->pair[i]->ref.suite, name, sizeof(name));
		TALLY(t, v->status == ESP_OK, "%s len %u of %u", name, w->len[i], n);
		TALLY(t, v->newest, "%s len %u", name, w->len[i]);
		TALLY(t, v->len == w->len[i] && v->next_header == w->next_header[i], "%s len %u",
		      name, w->len[i]);
		TALLY(t, memcmp(v->data, w->text[i], w->len[i]) == 0, "%s len %u", name, w->len[i]);
		TALLY(t, rig_intact(&w->buf[i]), "%s len %u", name, w->len[i]);
	}
}

/* What esp_encrypt makes of w->v, packet by packet; what no one takes is the burst's. */
static void seal_each(struct work *w, uint16_t n, struct tally *t)
{
	struct esp_pkt rest[ESP_BURST_MAX];
	uint16_t n_rest = 0, at[ESP_BURST_MAX];
	enum esp_sealed done;

	for (uint16_t i = 0; i < n; i++) {
		struct esp_pkt *v = &w->v[i];
		const struct esp_sa *sa = v->sa;
		uint16_t inner = (uint16_t)((v->len + ESP_TRAILER + sa->block - 1) & -sa->block);

		done = esp_seal(rig_esp, v->sa, v->data, v->len, v->next_header);
		if (done == ESP_UNSEALED) {
			at[n_rest] = i;
			rest[n_rest++] = *v;
			continue;
		}
		TALLY(t, (done == ESP_SEALED) == esp_is_gcm(sa), "len %u", v->len);
		v->data -= esp_sa_head(sa);
		v->len = (uint16_t)(esp_sa_head(sa) + inner + sa->icv_len);
		v->status = ESP_OK;
	}
	esp_seal_end(rig_esp);
	esp_encrypt(rig_esp, rest, n_rest);
	for (uint16_t i = 0; i < n_rest; i++)
		w->v[at[i]] = rest[i];
}

/* Ours enciphers; the reference reads it, and so do we. */
static void out_and_in(struct work *w, uint16_t n, struct tally *t)
{
	char name[40];

	for (uint16_t i = 0; i < n; i++) {
		struct esp_sa *sa = w->pair[i]->out;
		uint8_t *p = rig_buf(&w->buf[i], esp_sa_head(sa), w->len[i], esp_sa_tail_max(sa));

		memcpy(p, w->text[i], w->len[i]);
		w->v[i] = (struct esp_pkt){
		        .sa = sa, .data = p, .len = w->len[i], .next_header = w->next_header[i]};
	}
	if (rig_random() % 2 == 0)
		esp_encrypt(rig_esp, w->v, n);
	else
		seal_each(w, n, t);
	for (uint16_t i = n; i-- > 0;) { /* backwards: an SA's last packet has its last number */
		struct pair *p = w->pair[i];
		uint64_t seq = p->out->seq;
		uint8_t out[RIG_MAX], next_header = 0;
		int len;

		for (uint16_t k = (uint16_t)(i + 1); k < n; k++)
			seq -= w->pair[k] == p;
		len = ref_decrypt(&p->ref, seq, w->v[i].data, w->v[i].len, out, &next_header);
		esp_suite_name(&p->ref.suite, name, sizeof(name));
		TALLY(t, w->v[i].status == ESP_OK, "%s len %u of %u", name, w->len[i], n);
		TALLY(t,
		      len == w->len[i] && next_header == w->next_header[i] &&
		              memcmp(out, w->text[i], w->len[i]) == 0,
		      "%s len %u of %u", name, w->len[i], n);
		TALLY(t, rig_intact(&w->buf[i]), "%s len %u", name, w->len[i]);
		w->v[i].sa = p->in;
		w->v[i].next_header = 255;
	}
	esp_decrypt(rig_esp, w->v, n);
	check_decrypted(w, n, t);
}

/* The reference enciphers, with IVs of its own; ours reads it. */
static void from_reference(struct work *w, uint16_t n, struct tally *t)
{
	for (uint16_t i = 0; i < n; i++) {
		struct pair *p = w->pair[i];
		uint8_t iv[16], pkt[RIG_MAX];
		size_t len;

		rig_fill(iv, sizeof(iv));
		len = ref_encrypt(&p->ref, ++p->out->seq, iv, w->text[i], w->len[i],
		                  w->next_header[i], pkt);
		w->v[i] = (struct esp_pkt){.sa = p->in,
		                           .data = rig_buf(&w->buf[i], 0, (uint16_t)len, 0),
		                           .len = (uint16_t)len};
		memcpy(w->v[i].data, pkt, len);
	}
	esp_decrypt(rig_esp, w->v, n);
	check_decrypted(w, n, t);
}

static void run(uint64_t seed, void (*step)(struct work *, uint16_t, struct tally *))
{
	size_t n = N_PAIRS * LONGEST, at = 0;
	struct work *w = malloc(sizeof(*w));
	struct tally t = {0};
	struct pair *pairs;
	uint32_t *order;
	uint16_t size = 1;

	rig_seed(seed);
	pairs = make_pairs();
	order = make_order(n);
	while (at < n) {
		uint16_t k = n - at < size ? (uint16_t)(n - at) : size;

		choose(w, pairs, order + at, k);
		step(w, k, &t);
		at += k;
		size = (uint16_t)(size % ESP_BURST_MAX + 1);
	}
	CU_ASSERT_EQUAL(t.bad, 0);
	free(order);
	free_pairs(pairs);
	free(w);
}

static void test_encrypt(void)
{
	run(1, out_and_in);
}

static void test_decrypt(void)
{
	run(2, from_reference);
}

/* A vector of one suite alone fills the lanes as a mixed one does not. */
static void test_one_suite(void)
{
	struct work *w = malloc(sizeof(*w));
	struct tally t = {0};

	rig_seed(3);
	for (size_t i = 0; i < N_PAIRS; i++) {
		struct pair p[2];

		pair_make(&p[0], &esp_kats[i / 2].suite, i % 2, 1024);
		pair_make(&p[1], &esp_kats[i / 2].suite, i % 2, 1024);
		for (uint16_t n = 1; n <= ESP_BURST_MAX; n++) {
			for (uint16_t k = 0; k < n; k++) {
				w->pair[k] = &p[rig_random() % 2];
				w->len[k] = (uint16_t)(rig_random() % 300 + 1);
				w->next_header[k] = 17;
				rig_fill(w->text[k], w->len[k]);
			}
			out_and_in(w, n, &t);
			from_reference(w, n, &t);
		}
		pair_free(&p[0]);
		pair_free(&p[1]);
	}
	CU_ASSERT_EQUAL(t.bad, 0);
	free(w);
}

/* Packets of any lengths, of one long length nearly, of one short one. */
static uint16_t some_len(unsigned int kind)
{
	switch (kind) {
	case 0:
		return (uint16_t)(rig_random() % LONGEST + 1);
	case 1:
		return (uint16_t)(LONGEST - rig_random() % 64);
	default:
		return (uint16_t)(100 - rig_random() % 4);
	}
}

/* By narrow code and by lanes: numbers and lengths of packets, and whether these are alike, decide. */
static void test_lanes(void)
{
	static const uint16_t sizes[] = {1, 2, 7, 8, 9, 10, 14, 16, 24, 33, 40, ESP_BURST_MAX};
	struct work *w = malloc(sizeof(*w));
	IMB_MGR *narrow = rig_esp->narrow;
	struct tally t = {0};

	rig_seed(4);
	for (size_t i = 0; i < 6 * N_PAIRS; i++) {
		struct pair p;

		rig_esp->narrow = i < 3 * N_PAIRS ? narrow : NULL;
		pair_make(&p, &esp_kats[i % N_PAIRS / 2].suite, i % 2, 1024);
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			for (uint16_t k = 0; k < sizes[s]; k++) {
				w->pair[k] = &p;
				w->len[k] = some_len(i / N_PAIRS % 3);
				w->next_header[k] = 17;
				rig_fill(w->text[k], w->len[k]);
			}
			out_and_in(w, sizes[s], &t);
			from_reference(w, sizes[s], &t);
		}
		pair_free(&p);
	}
	rig_esp->narrow = narrow;
	CU_ASSERT_EQUAL(t.bad, 0);
	free(w);
}

/* Lanes are for what fills them. */
static void test_choice(void)
{
	static const struct {
		IMB_ARCH arch;
		uint16_t n, len, last; /* jobs, and the bytes of all but the last, and of that */
		bool sha1, sha256, cbc; /* in lanes */
	} cases[] = {
	        {IMB_ARCH_AVX512, 1, 1400, 1400, false, false, false},
	        {IMB_ARCH_AVX512, 9, 1400, 1400, false, false, true},
	        {IMB_ARCH_AVX512, 10, 1400, 1400, true, false, true},
	        {IMB_ARCH_AVX512, 16, 1400, 1400, true, false, true},
	        {IMB_ARCH_AVX512, 16, 1400, 1200, false, false, false},
	        {IMB_ARCH_AVX512, 17, 1400, 1400, false, false, true},
	        {IMB_ARCH_AVX512, 20, 1400, 1400, true, false, true},
	        {IMB_ARCH_AVX512, 8, 1400, 1400, false, false, false},
	        {IMB_ARCH_AVX512, 16, 100, 100, true, false, false},
	        {IMB_ARCH_AVX512, 15, 100, 100, true, false, false},
	        {IMB_ARCH_AVX512, 14, 100, 100, false, false, false},
	        {IMB_ARCH_AVX512, 16, 100, 1400, false, false, false},
	        {IMB_ARCH_AVX2, 7, 1400, 1400, false, false, true},
	        {IMB_ARCH_AVX2, 8, 1400, 1400, true, false, true},
	        {IMB_ARCH_AVX2, 22, 1400, 1400, true, false, true},
	        {IMB_ARCH_AVX2, 14, 1400, 1400, false, false, true},
	        {IMB_ARCH_AVX2, 8, 100, 100, false, false, true},
	        {IMB_ARCH_AVX2, 9, 1400, 1400, false, false, true},
	};
	static IMB_JOB jobs[ESP_BURST_MAX];
	static IMB_MGR mgr, narrow;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const uint32_t n = cases[i].n;
		IMB_MGR *sha1, *sha256;

		mgr.used_arch = cases[i].arch;
		for (uint32_t k = 0; k < n; k++)
			jobs[k].msg_len_to_hash_in_bytes = jobs[k].msg_len_to_cipher_in_bytes =
			        k + 1 < n ? cases[i].len : cases[i].last;
		sha1 = esp_hasher(&mgr, &narrow, IMB_AUTH_HMAC_SHA_1, jobs, n);
		sha256 = esp_hasher(&mgr, &narrow, IMB_AUTH_HMAC_SHA_256, jobs, n);
		CU_ASSERT_PTR_EQUAL(sha1, cases[i].sha1 ? &mgr : &narrow);
		CU_ASSERT_PTR_EQUAL(sha256, cases[i].sha256 ? &mgr : &narrow);
		CU_ASSERT_PTR_EQUAL(esp_sealer(&mgr, &narrow, jobs, n),
		                    cases[i].cbc ? &mgr : &narrow);
		CU_ASSERT_PTR_EQUAL(esp_hasher(&mgr, &narrow, IMB_AUTH_HMAC_SHA_512, jobs, n),
		                    &mgr);
		CU_ASSERT_PTR_EQUAL(esp_hasher(&mgr, NULL, IMB_AUTH_HMAC_SHA_256, jobs, n), &mgr);
		CU_ASSERT_PTR_EQUAL(esp_sealer(&mgr, NULL, jobs, n), &mgr);
	}
}

static submit_job_t submit_job;
static unsigned int n_submitted;

static IMB_JOB *count_jobs(IMB_MGR *m)
{
	n_submitted++;
	return submit_job(m);
}

/* 3DES by the multi-buffer library, which only AVX512 machines use otherwise, and there for more than a few packets. */
static void test_3des_lanes(void)
{
	static const struct esp_suite suite = {ESP_3DES_CBC, ESP_HMAC_SHA1_96, 24, 0};
	struct work *w = malloc(sizeof(*w));
	bool lanes = rig_esp->des3_lanes;
	static const uint16_t sizes[] = {1, 4, 5, 20};
	struct tally t = {0};

	submit_job = rig_esp->mgr->submit_job_nocheck;
	rig_esp->mgr->submit_job_nocheck = count_jobs;
	for (int turn = 0; turn < 2; turn++) {
		struct pair p;

		rig_esp->des3_lanes = turn == 0;
		pair_make(&p, &suite, true, 64);
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			const uint16_t n = sizes[i];

			n_submitted = 0;
			for (uint16_t k = 0; k < n; k++) {
				w->pair[k] = &p;
				w->len[k] = (uint16_t)(1 + k * 3);
				w->next_header[k] = 17;
				rig_fill(w->text[k], w->len[k]);
			}
			out_and_in(w, n, &t);
			from_reference(w, n, &t);
			TALLY(&t, (n_submitted > 0) == (turn == 0 && n > 4), "%u", n);
		}
		pair_free(&p);
	}
	rig_esp->mgr->submit_job_nocheck = submit_job;
	rig_esp->des3_lanes = lanes;
	CU_ASSERT_EQUAL(t.bad, 0);
	free(w);
}

CU_TestInfo tests_cross[] = {
        {"what ours enciphers, OpenSSL deciphers", test_encrypt},
        {"what OpenSSL enciphers, ours deciphers", test_decrypt},
        {"vectors of one suite", test_one_suite},
        {"narrow code and lanes", test_lanes},
        {"which of them is taken", test_choice},
        {"3DES both ways of doing it", test_3des_lanes},
        CU_TEST_INFO_NULL,
};
