/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Making and wiping SAs, names, and the self test's own test. */
#include "esp/lanes.h"
#include "unit/esp/rig.h"

#include <errno.h>
#include <stdlib.h>

static const uint8_t key[80] = {1, 2, 3};

static struct esp_sa_conf good(void)
{
	return (struct esp_sa_conf){
	        .spi = 256,
	        .inbound = true,
	        .suite = {ESP_AES_CBC, ESP_HMAC_SHA1_96, 16, 0},
	        .enc_key = key,
	        .auth_key = key,
	        .enc_key_len = 16,
	        .auth_key_len = 20,
	        .replay_window = 32,
	};
}

static void refused(const struct esp_sa_conf *c)
{
	struct esp_sa *sa;

	errno = 0;
	sa = esp_sa_new(rig_esp, c);
	CU_ASSERT_PTR_NULL(sa);
	CU_ASSERT_EQUAL(errno, EINVAL);
	esp_sa_free(sa);
}

static void test_refusals(void)
{
	struct esp_sa_conf c = good();
	struct esp_sa *sa = esp_sa_new(rig_esp, &c);

	CU_ASSERT_PTR_NOT_NULL(sa);
	esp_sa_free(sa);
	esp_sa_free(NULL);
	c.spi = 255, refused(&c);
	c.spi = 0, refused(&c);
	c = good(), c.enc_key_len = 15, refused(&c);
	c = good(), c.enc_key_len = 20, refused(&c);
	c = good(), c.auth_key_len = 19, refused(&c);
	c = good(), c.auth_key_len = 0, refused(&c);
	c = good(), c.enc_key = NULL, refused(&c);
	c = good(), c.auth_key = NULL, refused(&c);
	c = good(), c.suite.key_len = 17, c.enc_key_len = 17, refused(&c);
	c = good(), c.suite.key_len = 0, c.enc_key_len = 0, refused(&c);
	c = good(), c.suite.cipher = ESP_CIPHER_MAX, refused(&c);
	c = good(), c.suite.auth = ESP_AUTH_MAX, refused(&c);
	c = good(), c.suite.auth = ESP_AUTH_AEAD, c.auth_key_len = 0, refused(&c);
	c = good(), c.suite.icv_len = 16, refused(&c);
	c = good(), c.replay_window = 1, refused(&c);
	c = good(), c.replay_window = 31, refused(&c);
	c = good(), c.replay_window = 4097, refused(&c);
	c = good(), c.replay_window = UINT32_MAX, refused(&c);
	/* Outbound has no window: what stands there is nobody's business. */
	c = good(), c.inbound = false, c.replay_window = 5;
	sa = esp_sa_new(rig_esp, &c);
	CU_ASSERT_PTR_NOT_NULL(sa);
	esp_sa_free(sa);
}

/* Every combination there is: 42 are suites. */
static void test_suites(void)
{
	unsigned int n = 0;

	for (int c = -1; c <= ESP_CIPHER_MAX; c++) {
		for (int a = -1; a <= ESP_AUTH_MAX; a++) {
			for (uint16_t k = 0; k <= 40; k++) {
				for (uint16_t icv = 0; icv <= 32; icv++) {
					struct esp_suite s = {(enum esp_cipher)c, (enum esp_auth)a,
					                      k, icv};

					/* 0 and the length itself mean the same but for GCM */
					n += esp_suite_ok(&s) && (icv != 0 || c == ESP_AES_GCM);
				}
			}
		}
	}
	CU_ASSERT_EQUAL(n, 42);
	CU_ASSERT_EQUAL(esp_n_kats, 42);
	for (size_t i = 0; i < esp_n_kats; i++) {
		CU_ASSERT_TRUE(esp_suite_ok(&esp_kats[i].suite));
		for (size_t j = 0; j < i; j++)
			CU_ASSERT_NOT_EQUAL(memcmp(&esp_kats[i].suite, &esp_kats[j].suite,
			                           sizeof(struct esp_suite)),
			                    0);
	}
}

static void test_names(void)
{
	static const struct {
		struct esp_suite suite;
		const char *name;
		uint16_t enc, auth;
	} names[] = {
	        {{ESP_AES_CBC, ESP_HMAC_SHA1_96, 16, 12}, "aes128-sha1", 16, 20},
	        {{ESP_AES_CBC, ESP_HMAC_SHA256_128, 24, 0}, "aes192-sha256", 24, 32},
	        {{ESP_AES_CBC, ESP_HMAC_SHA384_192, 32, 0}, "aes256-sha384", 32, 48},
	        {{ESP_3DES_CBC, ESP_HMAC_SHA1_96, 24, 0}, "3des-sha1", 24, 20},
	        {{ESP_AES_CTR, ESP_HMAC_SHA512_256, 16, 0}, "aes128ctr-sha512", 20, 64},
	        {{ESP_AES_GCM, ESP_AUTH_AEAD, 32, 16}, "aes256gcm16", 36, 0},
	        {{ESP_AES_GCM, ESP_AUTH_AEAD, 16, 8}, "aes128gcm8", 20, 0},
	        {{ESP_AES_GCM, ESP_AUTH_AEAD, 24, 12}, "aes192gcm12", 28, 0},
	        {{ESP_NULL, ESP_HMAC_SHA256_128, 0, 0}, "null-sha256", 0, 32},
	        {{ESP_CHACHA20_POLY1305, ESP_AUTH_AEAD, 32, 0}, "chacha20poly1305", 36, 0},
	        {{ESP_CIPHER_MAX, ESP_AUTH_AEAD, 32, 0}, "unknown", 0, 0},
	        {{ESP_AES_CBC, ESP_AUTH_MAX, 16, 0}, "unknown", 16, 0},
	};
	char buf[40];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CU_ASSERT_STRING_EQUAL(esp_suite_name(&names[i].suite, buf, sizeof(buf)),
		                       names[i].name);
		CU_ASSERT_EQUAL(esp_suite_enc_key_len(&names[i].suite), names[i].enc);
		CU_ASSERT_EQUAL(esp_suite_auth_key_len(&names[i].suite), names[i].auth);
	}
	CU_ASSERT_STRING_EQUAL(esp_suite_name(&names[0].suite, buf, 4), "aes");
	CU_ASSERT_STRING_EQUAL(esp_status_name(ESP_OK), "ok");
	CU_ASSERT_STRING_EQUAL(esp_status_name(ESP_REPLAY), "replay");
	CU_ASSERT_STRING_EQUAL(esp_status_name(ESP_STATUS_MAX), "unknown");
	for (int s = 0; s < ESP_STATUS_MAX; s++)
		CU_ASSERT_PTR_NOT_NULL(esp_status_name((enum esp_status)s));
	CU_ASSERT_STRING_NOT_EQUAL(esp_arch_name(rig_esp), "unknown");
}

static void test_sizes(void)
{
	for (size_t i = 0; i < esp_n_kats; i++) {
		struct pair p;
		size_t icv;

		pair_make(&p, &esp_kats[i].suite, false, 0);
		icv = ref_icv_len(&p.ref);
		CU_ASSERT_EQUAL(esp_sa_spi(p.in), p.ref.spi);
		CU_ASSERT_EQUAL(esp_sa_head(p.out), 8 + ref_iv_len(&p.ref));
		CU_ASSERT_EQUAL(esp_sa_tail_max(p.out), ref_block(&p.ref) - 1 + 2 + icv);
		CU_ASSERT_EQUAL(esp_sa_suite(p.in)->cipher, esp_kats[i].suite.cipher);
		CU_ASSERT_EQUAL(esp_sa_suite(p.in)->icv_len, icv);
		CU_ASSERT_EQUAL(esp_sa_seq(p.in), 0);
		CU_ASSERT_TRUE((uintptr_t)p.in % ESP_CACHE_LINE == 0);
		pair_free(&p);
	}
}

static bool contains(const uint8_t *p, size_t n, const uint8_t *what, size_t len)
{
	return memmem(p, n, what, len) != NULL;
}

static void test_wipe(void)
{
	rig_seed(31);
	for (size_t i = 0; i < esp_n_kats * 2; i++) {
		const struct esp_suite *s = &esp_kats[i / 2].suite;
		struct ref_sa r = {.suite = *s, .spi = 1000};
		struct esp_sa *sa;
		unsigned int left = 0;
		size_t size;

		rig_fill(r.enc, sizeof(r.enc));
		rig_fill(r.auth, sizeof(r.auth));
		sa = rig_sa(&r, i % 2, 128);
		CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
		size = sa->size;
		/* An AES schedule begins or, the other way, ends with the key. */
		if (s->cipher == ESP_AES_GCM || s->cipher == ESP_AES_CBC ||
		    s->cipher == ESP_AES_CTR)
			CU_ASSERT_TRUE(contains((uint8_t *)sa, size, r.enc, 16));
		if (s->cipher == ESP_AES_GCM || s->cipher == ESP_CHACHA20_POLY1305)
			CU_ASSERT_TRUE(contains((uint8_t *)sa, size, r.enc + s->key_len, 4));
		/* Of the hash key only what cannot be turned back is kept. */
		CU_ASSERT_FALSE(contains((uint8_t *)sa, size, r.auth, 16));
		esp_sa_wipe(sa);
		for (size_t k = 0; k < size; k++)
			left += ((uint8_t *)sa)[k] != 0;
		CU_ASSERT_EQUAL(left, 0);
		esp_sa_free(sa);
	}
}

/* An SA is good on any thread's engine. */
static void test_other_engine(void)
{
	char why[200] = "";
	struct esp *other = esp_new(why, sizeof(why));

	CU_ASSERT_PTR_NOT_NULL_FATAL(other);
	for (size_t i = 0; i < esp_n_kats; i++) {
		static struct buf b;
		struct esp_pkt v = {.len = 60, .next_header = 17};
		struct pair p;

		pair_make(&p, &esp_kats[i].suite, true, 64);
		v.sa = p.out;
		v.data = rig_buf(&b, esp_sa_head(p.out), 60, esp_sa_tail_max(p.out));
		memset(v.data, 7, 60);
		esp_encrypt(other, &v, 1);
		v.sa = p.in;
		esp_decrypt(rig_esp, &v, 1);
		CU_ASSERT_EQUAL(v.status, ESP_OK);
		CU_ASSERT_EQUAL(v.data[59], 7);
		pair_free(&p);
	}
	esp_free(other);
	esp_free(NULL);
}

static uint32_t no_hash(struct IMB_MGR *m, struct IMB_JOB *jobs, const uint32_t n, IMB_HASH_ALG a)
{
	for (uint32_t i = 0; i < n; i++)
		memset(jobs[i].auth_tag_output, 0, jobs[i].auth_tag_output_len_in_bytes);
	return n;
}

static uint32_t no_cipher(struct IMB_MGR *m, struct IMB_JOB *jobs, const uint32_t n,
                          const IMB_CIPHER_MODE mode, const IMB_CIPHER_DIRECTION dir,
                          const IMB_KEY_SIZE_BYTES size)
{
	return n;
}

/* The self test notices what does not work, and names it. */
static void test_selftest(void)
{
	char why[200] = "", name[40];
	struct esp *e = esp_new(why, sizeof(why));
	IMB_MGR was;

	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	CU_ASSERT_PTR_NULL(esp_selftest(e, name, sizeof(name)));
	was = *e->mgr;
	e->mgr->submit_hash_burst_nocheck = no_hash;
	CU_ASSERT_PTR_NOT_NULL(esp_selftest(e, name, sizeof(name)));
	CU_ASSERT_STRING_EQUAL(name, "aes128-sha1");
	e->mgr->submit_hash_burst_nocheck = was.submit_hash_burst_nocheck;
	if (e->narrow != NULL) {
		IMB_MGR narrow = *e->narrow;

		e->narrow->submit_hash_burst_nocheck = no_hash;
		CU_ASSERT_PTR_NOT_NULL(esp_selftest(e, name, sizeof(name)));
		CU_ASSERT_STRING_EQUAL(name, "aes128-sha1");
		*e->narrow = narrow;
		if (esp_lanes(e->mgr) == 16) {
			e->narrow->submit_cipher_burst_nocheck = no_cipher;
			CU_ASSERT_PTR_NOT_NULL(esp_selftest(e, name, sizeof(name)));
			CU_ASSERT_STRING_EQUAL(name, "aes128-sha1");
			*e->narrow = narrow;
		}
	}
	e->mgr->submit_cipher_burst_nocheck = no_cipher;
	CU_ASSERT_PTR_NOT_NULL(esp_selftest(e, name, sizeof(name)));
	CU_ASSERT_STRING_EQUAL(name, "aes128-sha1");
	e->mgr->submit_cipher_burst_nocheck = was.submit_cipher_burst_nocheck;
	e->mgr->gcm192_enc = was.gcm256_enc;
	CU_ASSERT_PTR_NOT_NULL(esp_selftest(e, name, sizeof(name)));
	CU_ASSERT_STRING_EQUAL(name, "aes192gcm8");
	e->mgr->gcm192_enc = was.gcm192_enc;
	e->mgr->gcm256_dec = was.gcm128_dec;
	CU_ASSERT_PTR_NOT_NULL(esp_selftest(e, name, sizeof(name)));
	CU_ASSERT_STRING_EQUAL(name, "aes256gcm8");
	e->mgr->gcm256_dec = was.gcm256_dec;
	e->mgr->sha512_one_block = was.sha384_one_block;
	CU_ASSERT_PTR_NOT_NULL(esp_selftest(e, name, sizeof(name)));
	CU_ASSERT_STRING_EQUAL(name, "aes128-sha512");
	e->mgr->sha512_one_block = was.sha512_one_block;
	/* What stays filled in of the jobs for CBC with 32-bit numbers alone. */
	e->sealing[3].cipher_start_src_offset_in_bytes++;
	CU_ASSERT_PTR_NOT_NULL(esp_selftest(e, name, sizeof(name)));
	CU_ASSERT_STRING_EQUAL(name, "aes128-sha1");
	e->sealing[3].cipher_start_src_offset_in_bytes--;
	e->opening[3].auth_tag_output = e->tag[4];
	CU_ASSERT_PTR_NOT_NULL(esp_selftest(e, name, sizeof(name)));
	CU_ASSERT_STRING_EQUAL(name, "aes128-sha1");
	e->opening[3].auth_tag_output = e->tag[3];
	CU_ASSERT_PTR_NULL(esp_selftest(e, name, sizeof(name)));
	esp_free(e);
}

/* How many bytes behind the first line do, but for those of the window at at, which all are 0 with the other. */
static unsigned int differ(const struct esp_sa *sa, const struct esp_sa *other, size_t at,
                           size_t map)
{
	unsigned int n = 0;

	for (size_t i = 0; i < sa->size - sizeof(*sa); i++) {
		bool window = i >= at && i < at + map;

		n += window ? other->room[i] != 0 : other->room[i] != sa->room[i];
	}
	return n;
}

/* A short window has its place beside the keys: of neither a byte is the other's, nor behind the SA. */
static void test_layout(void)
{
	static const uint32_t windows[] = {0, 32, 64, 128, 256, 4096};

	for (size_t i = 0; i < esp_n_kats * 6; i++) {
		const uint32_t window = windows[i % 6], map = window < 64 ? 8 : window / 8;
		struct esp_sa *sa, *other;
		const uint8_t *end;
		struct pair p;
		size_t from, at;

		pair_make(&p, &esp_kats[i / 6].suite, false, window);
		sa = p.in;
		other = rig_sa(&p.ref, true, window);
		CU_ASSERT_PTR_NOT_NULL_FATAL(other);
		end = (const uint8_t *)sa + sa->size;
		from = (size_t)((const uint8_t *)sa->key - sa->room);
		CU_ASSERT_EQUAL((uintptr_t)sa->key % 16, 0);
		at = sa->map * sizeof(uint64_t);
		CU_ASSERT((const uint8_t *)sa->key <= end);
		CU_ASSERT(window == 0 || from >= at + map || at > from);
		CU_ASSERT(window == 0 ||
		          sa->room + at + map <= (sa->hmac != NULL && at > from ? sa->hmac : end));
		CU_ASSERT(sa->hmac == NULL || sa->hmac + 2 * esp_hmac_state(sa->auth) == end);
		if (sa->group != ESP_G_NULL && sa->group != ESP_G_3DES && map <= 16)
			CU_ASSERT_EQUAL(sa->size, p.out->size);
		/* Every number of three windows, and leaps over more. */
		for (uint64_t seq = 1; seq <= 3 * window; seq++) {
			bool newest;

			CU_ASSERT(esp_replay_take(sa, seq, &newest));
			if (seq % 100 == 0)
				CU_ASSERT(esp_replay_take(sa, seq += window + 7, &newest));
		}
		/* (the schedules of one suite have pointers to themselves) */
		if (sa->group != ESP_G_3DES || !rig_esp->des3_lanes)
			CU_ASSERT_EQUAL(differ(sa, other, window != 0 ? at : sa->size, map), 0);
		esp_sa_free(other);
		pair_free(&p);
	}
}

/* One text to and fro with two keys, which differ in nothing that counts. */
static void same_gcm(IMB_MGR *m, const struct gcm_key_data *a, const struct gcm_key_data *b,
                     uint32_t len)
{
	static const uint8_t nonce[12] = {3, 1, 4}, aad[12] = {1, 5, 9};
	static uint8_t text[2048], x[2048], y[2048];
	struct gcm_context_data ctx;
	uint8_t tag[3][16];

	rig_fill(text, sizeof(text));
	IMB_AES128_GCM_ENC(m, a, &ctx, x, text, len, nonce, aad, sizeof(aad), tag[0], 16);
	IMB_AES128_GCM_ENC(m, b, &ctx, y, text, len, nonce, aad, sizeof(aad), tag[1], 16);
	CU_ASSERT_EQUAL(memcmp(x, y, len), 0);
	CU_ASSERT_EQUAL(memcmp(tag[0], tag[1], 16), 0);
	IMB_AES128_GCM_DEC(m, b, &ctx, y, y, len, nonce, aad, sizeof(aad), tag[2], 16);
	CU_ASSERT_EQUAL(memcmp(y, text, len), 0);
	CU_ASSERT_EQUAL(memcmp(tag[0], tag[2], 16), 0);
}

/* Whatever the CPU: what stands between round keys of 128 bits and the powers, no code of GCM looks at. */
static void test_gap(void)
{
	static void (*const inits[])(IMB_MGR *) = {init_mb_mgr_sse, init_mb_mgr_avx2,
	                                           init_mb_mgr_avx512};
	const uint64_t needs[] = {IMB_CPUFLAGS_SSE, IMB_CPUFLAGS_AVX2, IMB_CPUFLAGS_AVX512};
	unsigned int tried = 0;

	rig_seed(32);
	for (size_t i = 0; i < 3; i++) {
		struct gcm_key_data keys, noisy;
		IMB_MGR *m = alloc_mb_mgr(0);

		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		if ((m->features & needs[i]) == needs[i]) {
			inits[i](m);
			CU_ASSERT_EQUAL(imb_get_errno(m), 0);
			memset(&keys, 0, sizeof(keys));
			IMB_AES128_GCM_PRE(m, key, &keys);
			noisy = keys;
			rig_fill((uint8_t *)&noisy + ESP_GCM128_KEYS, ESP_GAP);
			for (uint32_t len = 1; len <= 2048; len += len < 300 ? 1 : 67)
				same_gcm(m, &keys, &noisy, len);
			tried++;
		}
		free_mb_mgr(m);
	}
	CU_ASSERT(tried > 0);
}

/* The gap is a line of the SA's, behind the window and before the powers, and no other suite has one. */
static void test_gap_place(void)
{
	static const uint32_t windows[] = {0, 32, 128, 256, 1024, 4096};

	for (size_t i = 0; i < esp_n_kats * 6; i++) {
		const struct esp_suite *s = &esp_kats[i / 6].suite;
		struct esp_sa_conf c = good();
		struct esp_sa *sa;
		size_t gap, at;

		c.suite = *s;
		c.enc_key_len = esp_suite_enc_key_len(s);
		c.auth_key_len = esp_suite_auth_key_len(s);
		c.replay_window = windows[i % 6];
		gap = esp_sa_gap(rig_esp, &c);
		sa = esp_sa_new(rig_esp, &c);
		CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
		at = (size_t)((const uint8_t *)sa->key - (const uint8_t *)sa);
		if (s->cipher == ESP_AES_GCM && s->key_len == 16)
			CU_ASSERT(gap == at + ESP_GCM128_KEYS && gap % ESP_CACHE_LINE == 0)
		else
			CU_ASSERT_EQUAL(gap, 0);
		if (s->cipher == ESP_AES_GCM)
			CU_ASSERT_EQUAL((at + ESP_GCM_POWERS) % ESP_CACHE_LINE, 0);
		esp_sa_free(sa);
		c.spi = 1;
		CU_ASSERT_EQUAL(esp_sa_gap(rig_esp, &c), 0);
	}
}

CU_TestInfo tests_sa[] = {
        {"what esp_sa_new refuses", test_refusals},
        {"all suites", test_suites},
        {"names and key lengths", test_names},
        {"what a packet grows by", test_sizes},
        {"keys are wiped", test_wipe},
        {"windows and keys", test_layout},
        {"where the caller's gap is", test_gap_place},
        {"what is in the gap is nothing to GCM", test_gap},
        {"an SA on another engine", test_other_engine},
        {"the self test fails when it must", test_selftest},
        CU_TEST_INFO_NULL,
};
