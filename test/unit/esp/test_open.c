/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The parts of esp_decrypt, each SA's packets by the one that esp_sa_opens names, against the whole. */
#include "unit/esp/rig.h"

#include <stdlib.h>

#define MOST    24 /* SAs at a time */
#define WINDOW  64
#define LEN_MAX 1400

/* SAs twice: one set for either way. */
struct twins {
	struct pair p[MOST];
	struct esp_sa *twin[MOST];
	uint64_t next[MOST]; /* number of the next packet */
	uint16_t n;
};

static void twins_make(struct twins *t)
{
	for (t->n = 0; t->n < MOST; t->n++) {
		struct pair *p = &t->p[t->n];

		pair_make(p, &esp_kats[rig_random() / 7 % esp_n_kats].suite,
		          rig_random() / 3 % 4 == 0, WINDOW);
		t->twin[t->n] = rig_sa(&p->ref, true, WINDOW);
		if (t->twin[t->n] == NULL)
			abort();
		t->next[t->n] = 1;
	}
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
	uint8_t who[ESP_BURST_MAX];
	uint16_t n;
};

/* Good ones, and now and then one that comes late, a second time, changed or cut. */
static void vector_fill(struct vector *x, struct twins *t, uint16_t n)
{
	uint8_t payload[LEN_MAX];

	x->n = n;
	for (uint16_t i = 0; i < n; i++) {
		const uint8_t who = (uint8_t)((rig_random() >> 32) % t->n);
		const uint16_t most = (rig_random() >> 32) % 4 == 0 ? LEN_MAX : 200;
		const uint16_t len = (uint16_t)(1 + (rig_random() >> 32) % most);
		const uint32_t fate = (rig_random() >> 32) % 16;
		uint64_t seq = t->next[who];

		x->who[i] = who;
		rig_fill(payload, len);
		if (fate == 0 && seq > 3)
			seq -= 1 + rig_random() % 3; /* it has been there, perhaps in this vector */
		else if (fate == 1)
			t->next[who] = seq += 5;
		t->next[who] = seq < t->next[who] ? t->next[who] : seq + 1;
		rig_sealed(&t->p[who], seq, payload, len, &x->a[i], &x->want[i]);
		if (fate == 2)
			x->want[i].data[8 + rig_random() % (x->want[i].len - 8u)] ^= 1;
		if (fate == 3)
			x->want[i].len = (uint16_t)(8 + rig_random() % (x->want[i].len - 8u));
		x->b[i] = x->a[i];
		x->v[i] = x->want[i];
		x->v[i].sa = t->twin[who];
		x->v[i].data = x->b[i].bytes + (x->want[i].data - x->a[i].bytes);
	}
}

/* As a caller does it: bursts of each number, of some packets or of all, and those that are alone. */
static void open_all(struct vector *x)
{
	uint64_t left = ~0ull >> (64 - x->n), set = 0;

	while (left != 0) {
		const uint8_t opens = esp_sa_opens(x->v[__builtin_ctzll(left)].sa);

		for (uint16_t i = 0; i < x->n; i++) {
			struct esp_pkt *p = &x->v[i];

			if (esp_sa_opens(p->sa) != opens)
				continue;
			left &= ~(1ull << i);
			if (opens == ESP_OPENS_SET) {
				set |= 1ull << i;
			} else if (opens == ESP_OPENS_ALONE) {
				esp_open_ahead(p);
				esp_open(rig_esp, p);
			} else {
				esp_open_join(rig_esp, p);
				if (rig_random() % 8 == 0)
					esp_open_joined(rig_esp, x->v, x->n);
			}
		}
		esp_open_joined(rig_esp, NULL, 0);
	}
	esp_decrypt_set(rig_esp, x->v, set);
}

static void same(const struct vector *x, const struct twins *t, struct tally *tally,
                 uint32_t seen[ESP_STATUS_MAX])
{
	for (uint16_t i = 0; i < x->n; i++) {
		const struct esp_pkt *want = &x->want[i], *p = &x->v[i];

		seen[want->status]++;
		TALLY(tally, p->status == want->status, "%d: %d, %d", i, p->status, want->status);
		TALLY(tally, rig_intact(&x->b[i]), "%d", i);
		TALLY(tally, p->data - x->b[i].bytes == want->data - x->a[i].bytes, "%d", i);
		TALLY(tally, p->len == want->len, "%d: %d, %d", i, p->len, want->len);
		if (want->status != ESP_OK)
			continue;
		TALLY(tally, p->next_header == want->next_header, "%d", i);
		TALLY(tally, p->newest == want->newest, "%d", i);
		TALLY(tally, memcmp(p->data, want->data, want->len) == 0, "%d", i);
	}
	for (uint16_t i = 0; i < t->n; i++)
		TALLY(tally, t->twin[i]->seq == t->p[i].in->seq, "%d", i);
}

static void test_mixed(void)
{
	uint32_t seen[ESP_STATUS_MAX] = {0};
	static struct vector x;
	struct tally tally = {0};
	struct twins t;

	rig_seed(91);
	for (int round = 0; round < 200; round++) {
		twins_make(&t);
		for (int k = 0; k < 3; k++) {
			vector_fill(&x, &t, (uint16_t)(1 + (rig_random() >> 32) % ESP_BURST_MAX));
			esp_decrypt(rig_esp, x.want, x.n);
			open_all(&x);
			same(&x, &t, &tally, seen);
		}
		twins_free(&t);
	}
	CU_ASSERT_EQUAL(tally.bad, 0);
	CU_ASSERT_TRUE(seen[ESP_OK] > 1000);
	CU_ASSERT_TRUE(seen[ESP_REPLAY] > 100);
	CU_ASSERT_TRUE(seen[ESP_AUTH] > 100);
	CU_ASSERT_TRUE(seen[ESP_SHORT] > 100);
}

/* SAs of one number are of one suite, and a suite that can be joined has one number. */
static void test_numbers(void)
{
	struct tally tally = {0};
	uint8_t of[64];
	unsigned int joined = 0;

	CU_ASSERT_TRUE_FATAL(esp_n_kats <= sizeof(of));
	CU_ASSERT_EQUAL(
	        esp_keys_ahead(rig_esp),
	        rig_esp->mgr->used_arch == IMB_ARCH_AVX512 && rig_esp->gcm_key_size > 512 ? 2 : 3);
	for (size_t i = 0; i < esp_n_kats; i++) {
		struct pair p, extended;
		uint32_t together;

		pair_make(&p, &esp_kats[i].suite, false, WINDOW);
		pair_make(&extended, &esp_kats[i].suite, true, WINDOW);
		of[i] = esp_sa_opens(p.in);
		together = esp_open_together(
		        rig_esp, &(struct esp_pkt){.sa = p.in, .len = i % 2 == 0 ? 100 : 1400});
		TALLY(&tally, together >= 1 && together <= ESP_BURST_MAX, "%zu: %u", i, together);
		joined += of[i] >= ESP_OPENS_JOINED;
		TALLY(&tally, (of[i] == ESP_OPENS_ALONE) == esp_is_gcm(p.in), "%zu", i);
		TALLY(&tally, (of[i] >= ESP_OPENS_JOINED) == esp_is_cbc(p.in), "%zu", i);
		TALLY(&tally, esp_sa_opens(extended.in) == ESP_OPENS_SET, "%zu", i);
		for (size_t k = 0; k < i; k++)
			TALLY(&tally, of[i] < ESP_OPENS_JOINED || of[k] != of[i], "%zu, %zu", k, i);
		pair_free(&p);
		pair_free(&extended);
	}
	CU_ASSERT_EQUAL(tally.bad, 0);
	CU_ASSERT_EQUAL(joined, 3 * 4); /* sizes of key and hashes */
}

CU_TestInfo tests_open[] = {
        {"what esp_decrypt does, of all suites", test_mixed},
        {"which packets may join a burst", test_numbers},
        CU_TEST_INFO_NULL,
};
