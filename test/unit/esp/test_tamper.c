/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Forged and damaged packets among sound ones, which must come through. */
#include "unit/esp/rig.h"

#include <stdlib.h>

#define N_PAIRS (esp_n_kats * 2)
#define LEN     100

enum region { SPI, NUMBER, IV, TEXT_FIRST, TEXT_MIDDLE, TEXT_LAST, ICV_FIRST, ICV_LAST, REGIONS };

struct work {
	struct buf buf[ESP_BURST_MAX];
	struct esp_pkt v[ESP_BURST_MAX];
	uint8_t text[ESP_BURST_MAX][LEN];
	struct pair *pair[ESP_BURST_MAX];
};

static struct pair *make_pairs(void)
{
	struct pair *p = calloc(N_PAIRS, sizeof(*p));

	for (size_t i = 0; i < N_PAIRS; i++) {
		pair_make(&p[i], &esp_kats[i / 2].suite, i % 2, 64);
		pair_seq(&p[i], i % 2 ? 0x500000000ull : 0);
	}
	return p;
}

static void free_pairs(struct pair *p)
{
	for (size_t i = 0; i < N_PAIRS; i++)
		pair_free(&p[i]);
	free(p);
}

/* A vector of sound packets, of all SAs in turn. */
static void seal(struct work *w, struct pair *pairs, size_t first, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct pair *p = &pairs[(first + i) % N_PAIRS];

		w->pair[i] = p;
		rig_fill(w->text[i], LEN);
		rig_sealed(p, ++p->out->seq, w->text[i], LEN, &w->buf[i], &w->v[i]);
	}
}

static bool sound(const struct work *w, uint16_t i)
{
	return w->v[i].status == ESP_OK && w->v[i].len == LEN && w->v[i].next_header == 17 &&
	       memcmp(w->v[i].data, w->text[i], LEN) == 0 && rig_intact(&w->buf[i]);
}

static size_t place(const struct pair *p, const struct esp_pkt *v, enum region r)
{
	size_t head = 8 + ref_iv_len(&p->ref), icv = v->len - ref_icv_len(&p->ref);

	switch (r) {
	case SPI:
		return rig_random() % 4;
	case NUMBER:
		return 4 + rig_random() % 4;
	case IV: /* NULL has none */
		return ref_iv_len(&p->ref) > 0 ? 8 + rig_random() % ref_iv_len(&p->ref) : head;
	case TEXT_FIRST:
		return head;
	case TEXT_MIDDLE:
		return head + 1 + rig_random() % (icv - head - 2);
	case TEXT_LAST:
		return icv - 1;
	case ICV_FIRST:
		return icv;
	default:
		return v->len - 1u;
	}
}

/* A flipped number may also look replayed, or so far off that no ESN fits. */
static bool refused(const struct esp_pkt *v, enum region r)
{
	return v->status == ESP_AUTH || (r == NUMBER && v->status == ESP_REPLAY);
}

static void test_positions(void)
{
	struct work *w = malloc(sizeof(*w));
	struct tally t = {0};
	struct pair *pairs;
	size_t first = 0;

	rig_seed(11);
	pairs = make_pairs();
	for (uint16_t pos = 0; pos < ESP_BURST_MAX; pos++) {
		for (int r = 0; r < REGIONS; r++) {
			struct esp_pkt before;

			seal(w, pairs, first, ESP_BURST_MAX);
			before = w->v[pos];
			w->v[pos].data[place(w->pair[pos], &w->v[pos], r)] ^=
			        (uint8_t)(1u << rig_random() % 8);
			esp_decrypt(rig_esp, w->v, ESP_BURST_MAX);
			for (uint16_t i = 0; i < ESP_BURST_MAX; i++) {
				if (i == pos)
					TALLY(&t, refused(&w->v[i], r), "at %d region %d: %d", pos,
					      r, w->v[i].status);
				else
					TALLY(&t, sound(w, i), "at %d region %d: %d at %d", pos, r,
					      w->v[i].status, i);
			}
			TALLY(&t, w->v[pos].data == before.data && w->v[pos].len == before.len,
			      "-");
			TALLY(&t, !w->v[pos].newest && rig_intact(&w->buf[pos]), "-");
			first += 19; /* another SA on this place */
		}
	}
	CU_ASSERT_EQUAL(t.bad, 0);
	free_pairs(pairs);
	free(w);
}

/* No bit of a packet may be free to change. */
static void test_every_bit(void)
{
	struct work *w = malloc(sizeof(*w));
	struct tally t = {0};

	rig_seed(12);
	for (size_t i = 0; i < N_PAIRS; i++) {
		struct pair p;
		size_t bits = 1, at = 0;
		char name[40];

		pair_make(&p, &esp_kats[i / 2].suite, i % 2, 0);
		esp_suite_name(&p.ref.suite, name, sizeof(name));
		while (at < bits) {
			uint16_t n = 0;

			for (; n < ESP_BURST_MAX && at + n < bits; n++) {
				rig_fill(w->text[n], 24);
				rig_sealed(&p, 7, w->text[n], 24, &w->buf[n], &w->v[n]);
				bits = w->v[n].len * 8u;
				w->v[n].data[(at + n) / 8] ^= (uint8_t)(1u << (at + n) % 8);
			}
			esp_decrypt(rig_esp, w->v, n);
			for (uint16_t k = 0; k < n; k++)
				TALLY(&t, refused(&w->v[k], (at + k) / 32 == 1 ? NUMBER : SPI),
				      "%s bit %zu: %d", name, at + k, w->v[k].status);
			at += n;
		}
		TALLY(&t, bits > 300 && p.in->seq == 0, "%s", name);
		pair_free(&p);
	}
	CU_ASSERT_EQUAL(t.bad, 0);
	free(w);
}

/* A forged packet must not move the window, whatever number it bears. */
static void test_window_stays(void)
{
	struct tally t = {0};
	struct work *w = malloc(sizeof(*w));

	rig_seed(13);
	for (size_t i = 0; i < N_PAIRS; i++) {
		struct pair p;

		pair_make(&p, &esp_kats[i / 2].suite, i % 2, 64);
		rig_sealed(&p, 1000, w->text[0], LEN, &w->buf[0], &w->v[0]);
		w->v[0].data[w->v[0].len - 1] ^= 1;
		rig_sealed(&p, 1, w->text[1], LEN, &w->buf[1], &w->v[1]);
		esp_decrypt(rig_esp, w->v, 2);
		TALLY(&t, w->v[0].status == ESP_AUTH && p.in->seq == 1, "pair %zu", i);
		TALLY(&t, w->v[1].status == ESP_OK && w->v[1].newest, "pair %zu", i);
		pair_free(&p);
	}
	CU_ASSERT_EQUAL(t.bad, 0);
	free(w);
}

/* The key of one SA does not open packets of another, nor does the same number with another high half. */
static void test_other_keys(void)
{
	struct tally t = {0};
	struct work *w = malloc(sizeof(*w));

	rig_seed(14);
	for (size_t i = 0; i < N_PAIRS; i++) {
		struct pair p, q;

		pair_make(&p, &esp_kats[i / 2].suite, i % 2, 64);
		pair_make(&q, &esp_kats[i / 2].suite, i % 2, 64);
		rig_sealed(&p, 1, w->text[0], LEN, &w->buf[0], &w->v[0]);
		w->v[0].sa = q.in;
		esp_decrypt(rig_esp, w->v, 1);
		TALLY(&t, w->v[0].status == ESP_AUTH, "pair %zu", i);
		if (p.ref.esn) {
			rig_sealed(&p, 1ull << 32 | 1, w->text[0], LEN, &w->buf[0], &w->v[0]);
			esp_decrypt(rig_esp, w->v, 1);
			TALLY(&t, w->v[0].status == ESP_AUTH, "pair %zu", i);
		}
		pair_free(&p);
		pair_free(&q);
	}
	CU_ASSERT_EQUAL(t.bad, 0);
	free(w);
}

/* What an AEAD made of a forged packet is not left to be read. */
static void test_forged_text_zeroed(void)
{
	static const struct esp_suite suites[] = {{ESP_AES_GCM, ESP_AUTH_AEAD, 32, 16},
	                                          {ESP_CHACHA20_POLY1305, ESP_AUTH_AEAD, 32, 16}};
	struct work *w = malloc(sizeof(*w));

	for (size_t i = 0; i < 2; i++) {
		struct pair p;
		unsigned int left = 0;

		pair_make(&p, &suites[i], false, 64);
		rig_fill(w->text[0], LEN);
		rig_sealed(&p, 1, w->text[0], LEN, &w->buf[0], &w->v[0]);
		w->v[0].data[w->v[0].len - 1] ^= 1;
		esp_decrypt(rig_esp, w->v, 1);
		CU_ASSERT_EQUAL(w->v[0].status, ESP_AUTH);
		for (unsigned int k = 16; k < w->v[0].len - 16u; k++)
			left += w->v[0].data[k] != 0;
		CU_ASSERT_EQUAL(left, 0);
		pair_free(&p);
	}
	free(w);
}

/* With a separate hash nothing is deciphered before the ICV is found right: the text still stands. */
static void test_forged_text_untouched(void)
{
	static const struct esp_suite suites[] = {{ESP_AES_CBC, ESP_HMAC_SHA256_128, 16, 0},
	                                          {ESP_3DES_CBC, ESP_HMAC_SHA1_96, 24, 0},
	                                          {ESP_AES_CTR, ESP_HMAC_SHA512_256, 32, 0}};
	struct work *w = malloc(sizeof(*w));

	for (size_t i = 0; i < 3; i++) {
		uint8_t copy[RIG_MAX];
		struct pair p;

		pair_make(&p, &suites[i], true, 64);
		rig_sealed(&p, 1, w->text[0], LEN, &w->buf[0], &w->v[0]);
		w->v[0].data[w->v[0].len - 1] ^= 1;
		memcpy(copy, w->v[0].data, w->v[0].len);
		esp_decrypt(rig_esp, w->v, 1);
		CU_ASSERT_EQUAL(w->v[0].status, ESP_AUTH);
		CU_ASSERT_EQUAL(memcmp(copy, w->v[0].data, w->v[0].len - ref_icv_len(&p.ref)), 0);
		pair_free(&p);
	}
	free(w);
}

CU_TestInfo tests_tamper[] = {
        {"every place of a vector, every part of a packet", test_positions},
        {"every bit of a packet", test_every_bit},
        {"a forged packet does not move the window", test_window_stays},
        {"another SA's packet, another high half", test_other_keys},
        {"text of a forged packet, AEAD: zeroed", test_forged_text_zeroed},
        {"text of a forged packet, hash: not deciphered", test_forged_text_untouched},
        CU_TEST_INFO_NULL,
};
