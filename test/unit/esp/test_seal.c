/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* esp_seal, packet by packet, against what esp_encrypt makes of the same burst. */
#include "esp/lanes.h"
#include "unit/esp/rig.h"

#include <stdlib.h>

#define MOST 24 /* SAs at a time */

/* SAs twice: one set for either way, alike in all that packets show. */
struct twins {
	struct pair p[MOST];
	struct esp_sa *twin[MOST];
	uint16_t n;
};

static void twins_add(struct twins *t, const struct esp_suite *s, bool esn)
{
	struct pair *p = &t->p[t->n];

	pair_make(p, s, esn, 0);
	t->twin[t->n] = rig_sa(&p->ref, false, 0);
	if (t->twin[t->n] == NULL)
		abort();
	t->twin[t->n]->iv_seed = p->out->iv_seed; /* by chance otherwise */
	t->n++;
}

static void twins_free(struct twins *t)
{
	for (uint16_t i = 0; i < t->n; i++) {
		pair_free(&t->p[i]);
		esp_sa_free(t->twin[i]);
	}
}

/* A vector of both ways. */
struct vector {
	struct buf a[ESP_BURST_MAX], b[ESP_BURST_MAX];
	struct esp_pkt want[ESP_BURST_MAX], v[ESP_BURST_MAX];
	enum esp_sealed done[ESP_BURST_MAX];
	uint8_t who[ESP_BURST_MAX];
	uint16_t n;
};

static void vector_fill(struct vector *x, const struct twins *t, uint16_t n)
{
	x->n = n;
	for (uint16_t i = 0; i < n; i++) {
		const uint8_t who = (uint8_t)(rig_random() >> 32) % t->n;
		const uint16_t len = (uint16_t)(1 + (rig_random() >> 32) % 200);
		const uint16_t head = esp_sa_head(t->twin[who]),
		               tail = esp_sa_tail_max(t->twin[who]);
		struct esp_pkt p = {.len = len, .next_header = 17};

		x->who[i] = who;
		x->want[i] = x->v[i] = p;
		x->want[i].sa = t->p[who].out;
		x->v[i].sa = t->twin[who];
		x->want[i].data = rig_buf(&x->a[i], head, len, tail);
		x->v[i].data = rig_buf(&x->b[i], head, len, tail);
		rig_fill(x->want[i].data, len);
		memcpy(x->v[i].data, x->want[i].data, len);
	}
}

/* As a caller does it: those that are not sealed are a burst of their own, at the end. */
static void seal_all(struct vector *x)
{
	struct esp_pkt rest[ESP_BURST_MAX];
	uint16_t at[ESP_BURST_MAX], n = 0;

	for (uint16_t i = 0; i < x->n; i++) {
		const struct esp_pkt *p = &x->v[i];

		x->done[i] = esp_seal(rig_esp, p->sa, p->data, p->len, p->next_header);
		if (x->done[i] != ESP_UNSEALED)
			continue;
		at[n] = i;
		rest[n++] = *p;
	}
	esp_seal_end(rig_esp);
	esp_encrypt(rig_esp, rest, n);
	for (uint16_t i = 0; i < n; i++)
		x->v[at[i]] = rest[i];
}

/* Packets and SAs are the same, whichever way. */
static void same(const struct vector *x, const struct twins *t, struct tally *tally)
{
	for (uint16_t i = 0; i < x->n; i++) {
		const struct esp_pkt *want = &x->want[i];

		TALLY(tally, want->status == ESP_OK, "%d: %d", i, want->status);
		TALLY(tally,
		      memcmp(x->b[i].bytes + (want->data - x->a[i].bytes), want->data, want->len) ==
		              0,
		      "%d of %d", i, x->n);
		TALLY(tally, rig_intact(&x->b[i]), "%d", i);
	}
	for (uint16_t i = 0; i < t->n; i++)
		TALLY(tally, t->twin[i]->seq == t->p[i].out->seq, "%d", i);
}

/* Of one SA's packets either all or none are left for the burst. */
static void one_way(const struct vector *x, struct tally *tally)
{
	bool left[MOST] = {false}, taken[MOST] = {false};

	for (uint16_t i = 0; i < x->n; i++) {
		if (x->done[i] == ESP_UNSEALED)
			left[x->who[i]] = true;
		else
			taken[x->who[i]] = true;
		TALLY(tally, !left[x->who[i]] || !taken[x->who[i]], "%d", i);
	}
}

/* All suites among each other, and with extended numbers: which of CBC comes first is chance. */
static void test_mixed(void)
{
	static struct vector x;
	struct tally tally = {0};
	struct twins t = {0};

	rig_seed(81);
	for (int round = 0; round < 200; round++) {
		t.n = 0;
		while (t.n < MOST)
			twins_add(&t, &esp_kats[rig_random() / 7 % esp_n_kats].suite,
			          rig_random() / 3 % 4 == 0);
		for (int k = 0; k < 3; k++) {
			vector_fill(&x, &t, (uint16_t)(1 + (rig_random() >> 32) % ESP_BURST_MAX));
			esp_encrypt(rig_esp, x.want, x.n);
			seal_all(&x);
			same(&x, &t, &tally);
			one_way(&x, &tally);
		}
		twins_free(&t);
	}
	CU_ASSERT_EQUAL(tally.bad, 0);
}

/* As many as there may be, of one suite; twice, for the engine has to begin anew. */
static void test_full(void)
{
	static struct vector x;
	struct tally tally = {0};
	struct twins t = {0};

	rig_seed(82);
	for (size_t i = 0; i < esp_n_kats; i++) {
		t.n = 0;
		twins_add(&t, &esp_kats[i].suite, false);
		twins_add(&t, &esp_kats[i].suite, false);
		for (int k = 0; k < 2; k++) {
			enum esp_sealed want = esp_is_gcm(t.twin[0])   ? ESP_SEALED
			                       : esp_is_cbc(t.twin[0]) ? ESP_SEALING
			                                               : ESP_UNSEALED;

			vector_fill(&x, &t, ESP_BURST_MAX);
			esp_encrypt(rig_esp, x.want, x.n);
			seal_all(&x);
			same(&x, &t, &tally);
			for (uint16_t p = 0; p < x.n; p++)
				TALLY(&tally, x.done[p] == want, "%zu: %d", i, p);
		}
		twins_free(&t);
	}
	CU_ASSERT_EQUAL(tally.bad, 0);
}

/* Where an SA's numbers end: its packets are left as they are, and the other SA's are not held up. */
static void test_end(void)
{
	static struct vector x;
	struct tally tally = {0};
	struct twins t = {0};
	uint8_t text[ESP_BURST_MAX][RIG_MAX];

	rig_seed(83);
	for (size_t i = 0; i < esp_n_kats; i++) {
		uint16_t sent = 0;

		t.n = 0;
		twins_add(&t, &esp_kats[i].suite, false);
		twins_add(&t, &esp_kats[i].suite, false);
		t.twin[0]->seq = UINT32_MAX - 3;
		vector_fill(&x, &t, 40);
		for (uint16_t p = 0; p < x.n; p++)
			memcpy(text[p], x.v[p].data, x.v[p].len);
		seal_all(&x);
		for (uint16_t p = 0; p < x.n; p++) {
			const uint8_t *data = x.b[p].bytes + RIG_GUARD + esp_sa_head(x.v[p].sa);
			const bool over = x.who[p] == 0 && sent++ >= 3;

			TALLY(&tally, !over || x.done[p] == ESP_UNSEALED, "%zu: %d", i, p);
			TALLY(&tally, !over || x.v[p].status == ESP_SEQ_END, "%zu: %d", i, p);
			TALLY(&tally, !over || memcmp(data, text[p], x.want[p].len) == 0, "%zu: %d",
			      i, p);
		}
		TALLY(&tally, sent > 3, "%d", sent);
		CU_ASSERT_EQUAL(t.twin[0]->seq, UINT32_MAX);
		CU_ASSERT_EQUAL(t.twin[1]->seq, x.n - sent);
		twins_free(&t);
	}
	CU_ASSERT_EQUAL(tally.bad, 0);
}

static uint32_t by_mgr, by_narrow; /* packets whose cipher they were given */

static uint32_t count_mgr(IMB_MGR *m, IMB_JOB *jobs, const uint32_t n, const IMB_CIPHER_MODE mode,
                          const IMB_CIPHER_DIRECTION dir, const IMB_KEY_SIZE_BYTES size)
{
	by_mgr += n;
	return n;
}

static uint32_t count_narrow(IMB_MGR *m, IMB_JOB *jobs, const uint32_t n,
                             const IMB_CIPHER_MODE mode, const IMB_CIPHER_DIRECTION dir,
                             const IMB_KEY_SIZE_BYTES size)
{
	by_narrow += n;
	return n;
}

/* One packet is not enciphered in 16 lanes, where there is anything else, whichever way it goes. */
static void test_few(void)
{
	static const struct esp_suite suite = {ESP_AES_CBC, ESP_HMAC_SHA256_128, 16, 0};
	const submit_cipher_burst_t mgr = rig_esp->mgr->submit_cipher_burst_nocheck;
	IMB_MGR *const narrow = rig_esp->narrow;
	const bool lanes = narrow != NULL && esp_lanes(rig_esp->mgr) == 16;
	const submit_cipher_burst_t was =
	        narrow != NULL ? narrow->submit_cipher_burst_nocheck : NULL;

	rig_esp->mgr->submit_cipher_burst_nocheck = count_mgr;
	if (narrow != NULL)
		narrow->submit_cipher_burst_nocheck = count_narrow;
	by_mgr = by_narrow = 0;
	for (int esn = 0; esn < 2; esn++) {
		struct pair p;
		struct buf b;
		struct esp_pkt pkt = {.len = 100, .next_header = 17};

		pair_make(&p, &suite, esn != 0, 0);
		pkt.sa = p.out;
		pkt.data = rig_buf(&b, esp_sa_head(p.out), pkt.len, esp_sa_tail_max(p.out));
		if (esp_seal(rig_esp, p.out, pkt.data, pkt.len, 17) == ESP_UNSEALED)
			esp_encrypt(rig_esp, &pkt, 1);
		esp_seal_end(rig_esp);
		CU_ASSERT_EQUAL(by_narrow, lanes ? esn + 1u : 0);
		CU_ASSERT_EQUAL(by_mgr, lanes ? 0 : esn + 1u);
		pair_free(&p);
	}
	rig_esp->mgr->submit_cipher_burst_nocheck = mgr;
	if (narrow != NULL)
		narrow->submit_cipher_burst_nocheck = was;
}

CU_TestInfo tests_seal[] = {
        {"what esp_encrypt makes, of all suites", test_mixed},
        {"as many as there may be", test_full},
        {"the last numbers", test_end},
        {"few packets, which are not for many lanes", test_few},
        CU_TEST_INFO_NULL,
};
