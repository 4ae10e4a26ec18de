/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The window (RFC 4303 3.4.3) and the high half of an ESN (appendix A2). */
#include "unit/esp/rig.h"

#include <stdlib.h>

static const struct esp_suite suite = {ESP_NULL, ESP_HMAC_SHA1_96, 0, 0};
static const struct esp_suite gcm = {ESP_AES_GCM, ESP_AUTH_AEAD, 16, 16};

static enum esp_status receive(struct pair *p, uint64_t seq, bool *newest)
{
	static struct buf b;
	uint8_t text[10] = {1};
	struct esp_pkt v;

	rig_sealed(p, seq, text, sizeof(text), &b, &v);
	esp_decrypt(rig_esp, &v, 1);
	if (newest != NULL)
		*newest = v.newest;
	return (enum esp_status)v.status;
}

static void test_sizes(void)
{
	static const struct {
		uint32_t asked, size;
	} sizes[] = {{32, 32},     {33, 64},     {63, 64},     {64, 64},    {65, 128},
	             {1000, 1024}, {1024, 1024}, {2049, 4096}, {4096, 4096}};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t w = sizes[i].size;
		struct pair p;

		pair_make(&p, &suite, false, sizes[i].asked);
		CU_ASSERT_EQUAL(p.in->window, w);
		/* the top, then both sides of the lower edge */
		CU_ASSERT_EQUAL(receive(&p, 10000, NULL), ESP_OK);
		CU_ASSERT_EQUAL(receive(&p, 10000 - w + 1, NULL), ESP_OK);
		CU_ASSERT_EQUAL(receive(&p, 10000 - w, NULL), ESP_REPLAY);
		CU_ASSERT_EQUAL(receive(&p, 10000 - w + 1, NULL), ESP_REPLAY);
		CU_ASSERT_EQUAL(receive(&p, 1, NULL), ESP_REPLAY);
		/* one up: the edge moves by one, what was seen stays seen */
		CU_ASSERT_EQUAL(receive(&p, 10001, NULL), ESP_OK);
		CU_ASSERT_EQUAL(receive(&p, 10000 - w + 1, NULL), ESP_REPLAY);
		CU_ASSERT_EQUAL(receive(&p, 10000 - w + 2, NULL), ESP_OK);
		CU_ASSERT_EQUAL(receive(&p, 10000, NULL), ESP_REPLAY);
		/* a leap of exactly the window, and of more, forgets all that was */
		CU_ASSERT_EQUAL(receive(&p, 10001 + w, NULL), ESP_OK);
		for (uint32_t s = 10002; s < 10001 + w; s++)
			CU_ASSERT_EQUAL(receive(&p, s, NULL), ESP_OK);
		CU_ASSERT_EQUAL(receive(&p, 10001, NULL), ESP_REPLAY);
		CU_ASSERT_EQUAL(receive(&p, 1000000, NULL), ESP_OK);
		CU_ASSERT_EQUAL(receive(&p, 1000000 - w + 1, NULL), ESP_OK);
		pair_free(&p);
	}
}

static void test_start_and_end(void)
{
	bool newest;
	struct pair p;

	pair_make(&p, &suite, false, 64);
	CU_ASSERT_EQUAL(receive(&p, 0, &newest), ESP_REPLAY);
	CU_ASSERT_FALSE(newest);
	CU_ASSERT_EQUAL(receive(&p, 3, &newest), ESP_OK);
	CU_ASSERT_TRUE(newest);
	CU_ASSERT_EQUAL(receive(&p, 1, &newest), ESP_OK);
	CU_ASSERT_FALSE(newest);
	CU_ASSERT_EQUAL(receive(&p, 0, NULL), ESP_REPLAY);
	CU_ASSERT_EQUAL(esp_sa_seq(p.in), 3);
	/* 32-bit numbers do not wrap */
	CU_ASSERT_EQUAL(receive(&p, UINT32_MAX, &newest), ESP_OK);
	CU_ASSERT_EQUAL(receive(&p, UINT32_MAX, NULL), ESP_REPLAY);
	CU_ASSERT_EQUAL(receive(&p, 2, NULL), ESP_REPLAY);
	CU_ASSERT_EQUAL(receive(&p, UINT32_MAX - 1, NULL), ESP_OK);
	pair_free(&p);
	/* a number that an SA was made to begin at has not come yet */
	pair_make(&p, &suite, false, 64);
	pair_seq(&p, 9);
	CU_ASSERT_EQUAL(receive(&p, 9, &newest), ESP_OK);
	CU_ASSERT_FALSE(newest);
	CU_ASSERT_EQUAL(receive(&p, 9, NULL), ESP_REPLAY);
	CU_ASSERT_EQUAL(receive(&p, 10, &newest), ESP_OK);
	CU_ASSERT_TRUE(newest);
	pair_free(&p);
}

/* Both checks: what came before, and what comes twice in one vector. */
static void test_twice_in_a_burst(void)
{
	static const struct esp_suite *const suites[] = {&suite, &gcm};
	static struct buf b[8];
	uint8_t text[40] = {5};

	for (int s = 0; s < 4; s++) {
		struct esp_pkt v[8];
		unsigned int ok = 0;
		struct pair p;

		pair_make(&p, suites[s / 2], s % 2, 64);
		for (int i = 0; i < 8; i++)
			rig_sealed(&p, i == 4 ? 9 : 7, text, sizeof(text), &b[i], &v[i]);
		esp_decrypt(rig_esp, v, 8);
		for (int i = 0; i < 8; i++)
			ok += v[i].status == ESP_OK;
		CU_ASSERT_EQUAL(ok, 2);
		CU_ASSERT_EQUAL(v[0].status, ESP_OK);
		CU_ASSERT_EQUAL(v[1].status, ESP_REPLAY);
		CU_ASSERT_EQUAL(v[4].status, ESP_OK);
		CU_ASSERT_EQUAL(v[7].status, ESP_REPLAY);
		CU_ASSERT_EQUAL(memcmp(v[0].data, text, sizeof(text)), 0);
		CU_ASSERT_EQUAL(receive(&p, 7, NULL), ESP_REPLAY);
		/* a forged copy in front does not take the number from the true one */
		rig_sealed(&p, 20, text, sizeof(text), &b[0], &v[0]);
		rig_sealed(&p, 20, text, sizeof(text), &b[1], &v[1]);
		v[0].data[v[0].len - 1] ^= 4;
		esp_decrypt(rig_esp, v, 2);
		CU_ASSERT_EQUAL(v[0].status, ESP_AUTH);
		CU_ASSERT_EQUAL(v[1].status, ESP_OK);
		/* in one vector the window may move past a packet behind the one that moves it */
		rig_sealed(&p, 1000, text, sizeof(text), &b[0], &v[0]);
		rig_sealed(&p, 21, text, sizeof(text), &b[1], &v[1]);
		rig_sealed(&p, 937, text, sizeof(text), &b[2], &v[2]);
		esp_decrypt(rig_esp, v, 3);
		CU_ASSERT_EQUAL(v[0].status, ESP_OK);
		CU_ASSERT_EQUAL(v[1].status, ESP_REPLAY);
		CU_ASSERT_EQUAL(v[2].status, ESP_OK);
		pair_free(&p);
	}
}

static void test_no_window(void)
{
	bool newest;
	struct pair p;

	pair_make(&p, &suite, false, 0);
	CU_ASSERT_EQUAL(receive(&p, 5, &newest), ESP_OK);
	CU_ASSERT_TRUE(newest);
	CU_ASSERT_EQUAL(receive(&p, 5, &newest), ESP_OK);
	CU_ASSERT_FALSE(newest);
	CU_ASSERT_EQUAL(receive(&p, 1, NULL), ESP_OK);
	/* a sender that knows of no receiver's window may let its number wrap (3.3.3) */
	CU_ASSERT_EQUAL(receive(&p, 0, NULL), ESP_OK);
	CU_ASSERT_EQUAL(esp_sa_seq(p.in), 5);
	pair_free(&p);

	/* with ESN the high half is followed all the same: 2^30 back is late, more is a wrap */
	pair_make(&p, &suite, true, 0);
	CU_ASSERT_EQUAL(receive(&p, 0, NULL), ESP_REPLAY);
	p.in->seq = 0x3f0000000ull;
	CU_ASSERT_EQUAL(receive(&p, 0x3c0000000ull, &newest), ESP_OK);
	CU_ASSERT_FALSE(newest);
	CU_ASSERT_EQUAL(receive(&p, 0x400000005ull, &newest), ESP_OK);
	CU_ASSERT_TRUE(newest);
	CU_ASSERT_EQUAL(receive(&p, 0x3fffffff0ull, &newest), ESP_OK);
	CU_ASSERT_FALSE(newest);
	CU_ASSERT_EQUAL(esp_sa_seq(p.in), 0x400000005ull);
	/* .. and no number follows the last */
	p.in->seq = UINT64_MAX;
	CU_ASSERT_EQUAL(receive(&p, 5, NULL), ESP_REPLAY);
	pair_free(&p);
}

static void test_esn_wrap(void)
{
	static const uint32_t windows[] = {32, 64, 1024, 4096};

	for (size_t i = 0; i < 4; i++) {
		uint32_t w = windows[i];
		struct pair p;
		bool newest;

		pair_make(&p, &gcm, true, w);
		p.in->seq = 0x1fffffff0ull;
		CU_ASSERT_EQUAL(receive(&p, 0x1fffffffeull, &newest), ESP_OK);
		CU_ASSERT_EQUAL(receive(&p, 0x200000000ull, &newest), ESP_OK); /* low half 0 */
		CU_ASSERT_TRUE(newest);
		CU_ASSERT_EQUAL(receive(&p, 0x200000002ull, &newest), ESP_OK);
		CU_ASSERT_TRUE(newest);
		/* case B: the window spans two subspaces */
		CU_ASSERT_EQUAL(receive(&p, 0x1ffffffffull, &newest), ESP_OK);
		CU_ASSERT_FALSE(newest);
		CU_ASSERT_EQUAL(receive(&p, 0x1fffffffeull, NULL), ESP_REPLAY);
		CU_ASSERT_EQUAL(receive(&p, 0x200000000ull, NULL), ESP_REPLAY);
		CU_ASSERT_EQUAL(receive(&p, 0x200000003ull - w, NULL), ESP_OK);
		/* just below the window: means the next subspace, which nobody signed */
		CU_ASSERT_EQUAL(receive(&p, 0x200000002ull - w, NULL), ESP_AUTH);
		CU_ASSERT_EQUAL(esp_sa_seq(p.in), 0x200000002ull);
		pair_free(&p);

		/* in the first subspace there is none before it */
		pair_make(&p, &gcm, true, w);
		CU_ASSERT_EQUAL(receive(&p, 0xfffffffful, NULL), ESP_REPLAY);
		CU_ASSERT_EQUAL(receive(&p, 1, NULL), ESP_OK);
		CU_ASSERT_EQUAL(receive(&p, 0xfffffffful, NULL), ESP_REPLAY);
		/* .. and in the last none behind it */
		p.in->seq = UINT64_MAX - 2;
		CU_ASSERT_EQUAL(receive(&p, UINT64_MAX, NULL), ESP_OK);
		CU_ASSERT_EQUAL(receive(&p, UINT64_MAX, NULL), ESP_REPLAY);
		CU_ASSERT_EQUAL(receive(&p, 5, NULL), ESP_REPLAY);
		pair_free(&p);
	}
}

/* The wrap inside one vector: each packet is judged by the window before the vector. */
static void test_esn_wrap_in_a_burst(void)
{
	static struct buf b[ESP_BURST_MAX];
	struct esp_pkt v[ESP_BURST_MAX];
	uint8_t text[10] = {0};
	struct pair p;

	for (int s = 0; s < 2; s++) {
		pair_make(&p, s ? &gcm : &suite, true, 64);
		p.in->seq = 0x8ffffffdfull;
		for (int i = 0; i < ESP_BURST_MAX; i++)
			rig_sealed(&p, 0x8ffffffe0ull + (unsigned int)(i ^ 3), text, 10, &b[i],
			           &v[i]);
		esp_decrypt(rig_esp, v, ESP_BURST_MAX);
		for (int i = 0; i < ESP_BURST_MAX; i++) {
			CU_ASSERT_EQUAL(v[i].status, ESP_OK);
			CU_ASSERT_EQUAL(v[i].newest, i % 4 == 0);
		}
		CU_ASSERT_EQUAL(esp_sa_seq(p.in), 0x90000001full);
		pair_free(&p);
	}
}

/* A list of all that was taken, without any cleverness. */
struct model {
	uint64_t top, taken[1 << 14];
	size_t n;
	uint32_t window;
};

static bool model_take(struct model *m, uint64_t seq)
{
	if (seq == 0 || (m->top >= m->window && seq <= m->top - m->window))
		return false;
	for (size_t i = 0; i < m->n; i++) {
		if (m->taken[i] == seq)
			return false;
	}
	m->taken[m->n++] = seq;
	if (seq > m->top)
		m->top = seq;
	return true;
}

/* Random walks of all kinds of step, against the model; the true high half must be inferred. */
static void walk(uint32_t window, bool esn, uint64_t start, struct tally *t)
{
	struct model *m = calloc(1, sizeof(*m));
	struct pair p;

	pair_make(&p, &suite, esn, window);
	m->window = window;
	m->top = p.in->seq = start;
	if (start > 0)
		m->taken[m->n++] = start; /* whatever was before is not known as seen */
	for (uint64_t i = 1; i < window && i < start; i++)
		m->taken[m->n++] = start - i;
	/* .. so the window is full, too */
	if (start > 0)
		memset(p.in->room, 0xff, window < 64 ? 8 : window / 8);
	for (int i = 0; i < 4000; i++) {
		uint64_t seq = m->top, got;
		bool newest = false, want, ok;

		switch (rig_random() % 8) {
		case 0:
			seq += 1 + rig_random() % (3 * window);
			break;
		case 1:
			seq -= rig_random() % (window + 4);
			break;
		case 2:
			seq += 1 + rig_random() % 70;
			break;
		case 3:
			seq -= window - 2 + rig_random() % 4;
			break;
		case 4:
			seq -= rig_random() % 8;
			break;
		default:
			seq++;
			break;
		}
		if (seq > m->top + 4ull * window) /* below 0 */
			continue;
		if (!esn && seq > UINT32_MAX)
			break;
		want = model_take(m, seq);
		ok = esp_replay_check(p.in, (uint32_t)seq, &got);
		/* Too old a number means one of the next subspace: the ICV will tell. */
		if (esn && !want && ok && got == seq + (1ull << 32))
			continue;
		TALLY(t, !ok || got == seq, "%llx for %llx", (unsigned long long)got,
		      (unsigned long long)seq);
		ok = ok && esp_replay_take(p.in, got, &newest);
		TALLY(t, ok == want, "window %u, %llx at top %llx", window, (unsigned long long)seq,
		      (unsigned long long)m->top);
		TALLY(t, p.in->seq == m->top && newest == (want && seq == m->top), "top %llx",
		      (unsigned long long)m->top);
	}
	free(m);
	pair_free(&p);
}

static void test_model(void)
{
	struct tally t = {0};

	rig_seed(51);
	for (uint32_t window = 32; window <= 4096; window *= 2) {
		walk(window, false, 0, &t);
		walk(window, true, 0, &t);
		walk(window, false, UINT32_MAX - 1000ull * window, &t);
		walk(window, true, 0xfffff000ull, &t);
		walk(window, true, 0x6fffff800ull, &t);
	}
	CU_ASSERT_EQUAL(t.bad, 0);
}

CU_TestInfo tests_replay[] = {
        {"sizes and edges", test_sizes},
        {"the first and the last number", test_start_and_end},
        {"twice in one vector", test_twice_in_a_burst},
        {"no window", test_no_window},
        {"the low half of an ESN wraps", test_esn_wrap},
        {".. in the midst of a vector", test_esn_wrap_in_a_burst},
        {"random walks against a list", test_model},
        CU_TEST_INFO_NULL,
};
