/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "esp/lanes.h"

#include <stdio.h>
#include <stdlib.h>

/* What the bursts use of the manager; older libraries leave out some of it. */
static bool complete(const IMB_MGR *m)
{
	return m->submit_cipher_burst_nocheck != NULL && m->submit_hash_burst_nocheck != NULL &&
	       m->submit_job_nocheck != NULL && m->flush_job != NULL && m->gcm128_enc != NULL;
}

static bool start_mgr(IMB_MGR *m, char *why, size_t size)
{
	IMB_ARCH arch = IMB_ARCH_NONE;
	int err;

	init_mb_mgr_auto(m, &arch);
	err = imb_get_errno(m);
	if (err != 0) {
		snprintf(why, size, "The multi-buffer library does not start: %s.",
		         imb_get_strerror(err));
		return false;
	}
	if (arch == IMB_ARCH_NONE || arch == IMB_ARCH_NOAESNI) {
		snprintf(why, size, "The CPU has no AES instructions.");
		return false;
	}
	if ((m->features & IMB_FEATURE_SELF_TEST) != 0 &&
	    (m->features & IMB_FEATURE_SELF_TEST_PASS) == 0) {
		snprintf(why, size, "The multi-buffer library's own self test failed.");
		return false;
	}
	if (!complete(m)) {
		snprintf(why, size, "The multi-buffer library %s is too old: 1.3 is needed.",
		         imb_get_version_str());
		return false;
	}
	return true;
}

IMB_MGR *esp_narrow_mgr(const IMB_MGR *mgr)
{
	IMB_MGR *m;

	if (mgr->used_arch == IMB_ARCH_SSE || (mgr->features & IMB_FEATURE_SHANI) == 0)
		return NULL;
	m = alloc_mb_mgr(0);
	if (m == NULL)
		return NULL;
	init_mb_mgr_sse(m);
	if (imb_get_errno(m) == 0 && (m->features & IMB_FEATURE_SHANI) != 0 &&
	    ((m->features & IMB_FEATURE_SELF_TEST) == 0 ||
	     (m->features & IMB_FEATURE_SELF_TEST_PASS) != 0) &&
	    complete(m))
		return m;
	free_mb_mgr(m);
	return NULL;
}

/*
 * Each implementation of GCM keeps as many powers of the hash key as it uses at a time, at the front of
 * room for the most that any uses. What it never writes, it never reads.
 */
static uint16_t gcm_key_size(IMB_MGR *m)
{
	static const uint8_t key[IMB_KEY_256_BYTES];
	struct gcm_key_data a, b;
	uint16_t n = sizeof(a);

	memset(&a, 0, sizeof(a));
	memset(&b, 0xff, sizeof(b));
	IMB_AES256_GCM_PRE(m, key, &a);
	IMB_AES256_GCM_PRE(m, key, &b);
	while (n > 0 && ((uint8_t *)&a)[n - 1] != ((uint8_t *)&b)[n - 1])
		n--;
	return n;
}

/* Memory works on some 24 lines at a time. With AVX512 the keys of one packet are 16, elsewhere 6, and a text as many. */
static uint16_t keys_ahead(uint16_t gcm_key_size)
{
	return gcm_key_size <= 8 * ESP_CACHE_LINE ? 3 : 2;
}

uint32_t esp_keys_ahead(const struct esp *e)
{
	return e->keys_ahead;
}

struct esp *esp_new(char *why, size_t size)
{
	char name[40];
	struct esp *e;

	if (posix_memalign((void **)&e, ESP_CACHE_LINE, sizeof(*e)) != 0) {
		snprintf(why, size, "No memory for an ESP engine.");
		return NULL;
	}
	memset(e, 0, sizeof(*e));
	e->mgr = alloc_mb_mgr(0);
	if (e->mgr == NULL) {
		snprintf(why, size, "No memory for a multi-buffer manager.");
		esp_free(e);
		return NULL;
	}
	if (!start_mgr(e->mgr, why, size)) {
		esp_free(e);
		return NULL;
	}
	e->narrow = esp_narrow_mgr(e->mgr);
	e->gcm_key_size = gcm_key_size(e->mgr);
	e->keys_ahead = keys_ahead(e->gcm_key_size);
	esp_cbc_init(e);
	e->des3_lanes = e->mgr->used_arch == IMB_ARCH_AVX512;
	if (esp_selftest(e, name, sizeof(name)) != NULL) {
		snprintf(why, size, "The self test of ESP failed: %s.", name);
		esp_free(e);
		return NULL;
	}
	return e;
}

void esp_free(struct esp *e)
{
	if (e == NULL)
		return;
	if (e->mgr != NULL)
		free_mb_mgr(e->mgr);
	if (e->narrow != NULL)
		free_mb_mgr(e->narrow);
	explicit_bzero(e, sizeof(*e));
	free(e);
}

const char *esp_arch_name(const struct esp *e)
{
	switch (e->mgr->used_arch) {
	case IMB_ARCH_SSE:
		return "SSE";
	case IMB_ARCH_AVX:
		return "AVX";
	case IMB_ARCH_AVX2:
		return "AVX2";
	case IMB_ARCH_AVX512:
		return "AVX512";
	default:
		return "unknown";
	}
}
