/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "esp/esp_int.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#define AES_SCHEDULE (15 * 16) /* 14 rounds and the key */
#define AES_ALIGN    16

static size_t lines(size_t bytes)
{
	return (bytes + ESP_CACHE_LINE - 1) & ~(size_t)(ESP_CACHE_LINE - 1);
}

static size_t schedule_size(const struct esp *e, const struct esp_suite *s)
{
	switch (s->cipher) {
	case ESP_AES_CBC:
	case ESP_AES_CTR:
		return (s->key_len / 4u + 7) * 16; /* FIPS 197 5.2: rounds and the key */
	case ESP_3DES_CBC:
		return e->des3_lanes ? sizeof(struct esp_des3_keys) : ESP_DES3_SCHEDULE;
	case ESP_AES_GCM:
		return e->gcm_key_size;
	default:
		return s->key_len;
	}
}

static enum esp_group group_of(const struct esp_suite *s)
{
	int size = (s->key_len - 16) / 8;

	switch (s->cipher) {
	case ESP_AES_CBC:
		return (enum esp_group)(ESP_G_CBC128 + size);
	case ESP_3DES_CBC:
		return ESP_G_3DES;
	case ESP_AES_CTR:
		return (enum esp_group)(ESP_G_CTR128 + size);
	case ESP_AES_GCM:
		return (enum esp_group)(ESP_G_GCM128 + size);
	case ESP_CHACHA20_POLY1305:
		return ESP_G_CHACHA;
	default:
		return ESP_G_NULL;
	}
}

/* Only the schedule of the SA's direction is kept; counter mode always enciphers. */
static void expand_aes(IMB_MGR *m, const struct esp_sa_conf *c, uint8_t *out)
{
	_Alignas(16) uint8_t other[AES_SCHEDULE];
	bool decrypt = c->inbound && c->suite.cipher == ESP_AES_CBC;
	uint8_t *enc = decrypt ? other : out, *dec = decrypt ? out : other;

	if (c->suite.key_len == 16)
		IMB_AES_KEYEXP_128(m, c->enc_key, enc, dec);
	else if (c->suite.key_len == 24)
		IMB_AES_KEYEXP_192(m, c->enc_key, enc, dec);
	else
		IMB_AES_KEYEXP_256(m, c->enc_key, enc, dec);
	explicit_bzero(other, sizeof(other));
}

static void expand_gcm(const struct esp *e, const struct esp_sa_conf *c, uint8_t *out)
{
	struct gcm_key_data all;
	IMB_MGR *m = e->mgr;
	size_t used;

	if (c->suite.key_len == 16)
		IMB_AES128_GCM_PRE(m, c->enc_key, &all);
	else if (c->suite.key_len == 24)
		IMB_AES192_GCM_PRE(m, c->enc_key, &all);
	else
		IMB_AES256_GCM_PRE(m, c->enc_key, &all);
	/* Round keys end where the gap begins, and the powers stand behind it: esp_sa_gap. */
	used = c->suite.key_len == 16 ? ESP_GCM128_KEYS : ESP_GCM_POWERS;
	memcpy(out, &all, used);
	memcpy(out + ESP_GCM_POWERS, (uint8_t *)&all + ESP_GCM_POWERS,
	       e->gcm_key_size - ESP_GCM_POWERS);
	explicit_bzero(&all, sizeof(all));
}

static void expand_des3(const struct esp *e, const struct esp_sa_conf *c, struct esp_des3_keys *out)
{
	esp_des3_expand(c->enc_key, out->few);
	if (!e->des3_lanes)
		return;
	for (int i = 0; i < 3; i++) {
		IMB_DES_KEYSCHED(e->mgr, out->schedule[i], c->enc_key + i * IMB_DES_BLOCK_SIZE);
		out->by_pass[i] = out->schedule[i];
	}
}

static void expand_cipher(const struct esp *e, const struct esp_sa_conf *c, void *out)
{
	IMB_MGR *m = e->mgr;

	switch (c->suite.cipher) {
	case ESP_AES_CBC:
	case ESP_AES_CTR:
		expand_aes(m, c, out);
		break;
	case ESP_3DES_CBC:
		expand_des3(e, c, out);
		break;
	case ESP_AES_GCM:
		expand_gcm(e, c, out);
		break;
	case ESP_CHACHA20_POLY1305:
		memcpy(out, c->enc_key, c->suite.key_len);
		break;
	default:
		break;
	}
}

/* The state after one block of the key xored with a pad (RFC 2104): half of each HMAC is done. */
static void hash_pad(IMB_MGR *m, const struct esp_sa_conf *c, uint8_t pad, uint8_t *out)
{
	const struct esp_auth_def *a = esp_auth_def(c->suite.auth);
	_Alignas(16) uint8_t block[IMB_SHA_512_BLOCK_SIZE];

	memset(block, pad, a->block);
	for (int i = 0; i < a->key_len; i++)
		block[i] ^= c->auth_key[i];
	switch (c->suite.auth) {
	case ESP_HMAC_SHA1_96:
		IMB_SHA1_ONE_BLOCK(m, block, out);
		break;
	case ESP_HMAC_SHA256_128:
		IMB_SHA256_ONE_BLOCK(m, block, out);
		break;
	case ESP_HMAC_SHA384_192:
		IMB_SHA384_ONE_BLOCK(m, block, out);
		break;
	default:
		IMB_SHA512_ONE_BLOCK(m, block, out);
		break;
	}
	explicit_bzero(block, sizeof(block));
}

static bool conf_ok(const struct esp_sa_conf *c)
{
	if (c->spi < ESP_SPI_MIN || !esp_suite_ok(&c->suite))
		return false;
	if (c->enc_key_len != esp_suite_enc_key_len(&c->suite) ||
	    c->auth_key_len != esp_suite_auth_key_len(&c->suite))
		return false;
	if ((c->enc_key_len > 0 && c->enc_key == NULL) ||
	    (c->auth_key_len > 0 && c->auth_key == NULL))
		return false;
	return !c->inbound || c->replay_window == 0 ||
	       (c->replay_window >= ESP_WINDOW_MIN && c->replay_window <= ESP_WINDOW_MAX);
}

static uint16_t window_of(const struct esp_sa_conf *c)
{
	uint32_t w = c->replay_window;

	if (!c->inbound || w == 0)
		return 0;
	return (uint16_t)((w & (w - 1)) == 0 ? w : 1u << (32 - __builtin_clz(w)));
}

static void fill(const struct esp *e, struct esp_sa *sa, const struct esp_sa_conf *c)
{
	const struct esp_cipher_def *d = esp_cipher_def(c->suite.cipher);

	sa->spi_be = __builtin_bswap32(c->spi);
	sa->window = window_of(c);
	sa->group = (uint8_t)group_of(&c->suite);
	sa->auth = (uint8_t)c->suite.auth;
	sa->iv_len = d->iv_len;
	sa->head = (uint8_t)(ESP_HDR + d->iv_len);
	sa->block = d->block;
	sa->esn = c->esn;
	sa->suite = c->suite;
	if (c->suite.cipher == ESP_CHACHA20_POLY1305)
		sa->suite.icv_len = 16;
	else if (c->suite.auth != ESP_AUTH_AEAD)
		sa->suite.icv_len = esp_auth_def(c->suite.auth)->icv_len;
	sa->icv_len = (uint8_t)sa->suite.icv_len;
	if (d->salt > 0)
		memcpy(sa->salt, c->enc_key + c->suite.key_len, ESP_SALT);
}

/* The parts of an SA's room: where each begins, and where they end. */
struct layout {
	size_t map, key, hmac, end;
};

/*
 * Schedules want to be aligned to what is read of them at a time: up to a line with AVX512. But of GCM's what is read
 * so are the powers of the hash key, 240 bytes behind the begin: it begins 16 bytes into a line. In these 16 bytes a
 * short window has its place, and with others in what the schedule leaves of its last line: a line less. A longer one
 * has lines of its own in front.
 */
static struct layout layout_of(const struct esp *e, const struct esp_sa_conf *c)
{
	const size_t map = (window_of(c) + 63u) / 64 * sizeof(uint64_t);
	const size_t keys = schedule_size(e, &c->suite);
	struct layout l = {0};

	if (c->suite.cipher == ESP_AES_GCM)
		l.key = AES_ALIGN + (map > AES_ALIGN ? lines(map - AES_ALIGN) : 0);
	else if (keys + map <= lines(keys))
		l.map = keys;
	else
		l.key = lines(map);
	l.hmac = lines(l.key + keys);
	l.end = l.hmac;
	if (c->suite.auth != ESP_AUTH_AEAD)
		l.end += 2 * esp_hmac_state((uint8_t)c->suite.auth);
	return l;
}

size_t esp_sa_size(const struct esp *e, const struct esp_sa_conf *c)
{
	return conf_ok(c) ? sizeof(struct esp_sa) + layout_of(e, c).end : 0;
}

size_t esp_sa_gap(const struct esp *e, const struct esp_sa_conf *c)
{
	if (!conf_ok(c) || group_of(&c->suite) != ESP_G_GCM128)
		return 0;
	return sizeof(struct esp_sa) + layout_of(e, c).key + ESP_GCM128_KEYS;
}

struct esp_sa *esp_sa_place(struct esp *e, const struct esp_sa_conf *c, void *at)
{
	struct layout l = layout_of(e, c);
	size_t size = esp_sa_size(e, c);
	struct esp_sa *sa = at;

	memset(sa, 0, size);
	sa->size = (uint16_t)size;
	fill(e, sa, c);
	if (!c->inbound &&
	    getrandom(&sa->iv_seed, sizeof(sa->iv_seed), 0) != (ssize_t)sizeof(sa->iv_seed)) {
		esp_sa_wipe(sa);
		return NULL;
	}
	sa->map = (uint8_t)(l.map / sizeof(uint64_t));
	sa->key = sa->room + l.key;
	expand_cipher(e, c, sa->room + l.key);
	if (l.end > l.hmac) {
		sa->hmac = sa->room + l.hmac;
		hash_pad(e->mgr, c, 0x36, sa->room + l.hmac);
		hash_pad(e->mgr, c, 0x5c, sa->room + l.hmac + esp_hmac_state(sa->auth));
	}
	return sa;
}

struct esp_sa *esp_sa_new(struct esp *e, const struct esp_sa_conf *c)
{
	size_t size = esp_sa_size(e, c);
	struct esp_sa *sa;
	void *at;
	int rc;

	if (size == 0) {
		errno = EINVAL;
		return NULL;
	}
	rc = posix_memalign(&at, ESP_CACHE_LINE, size);
	if (rc != 0) {
		errno = rc;
		return NULL;
	}
	sa = esp_sa_place(e, c, at);
	if (sa == NULL)
		free(at);
	return sa;
}

void esp_sa_wipe(struct esp_sa *sa)
{
	explicit_bzero(sa, sa->size);
}

void esp_sa_free(struct esp_sa *sa)
{
	if (sa == NULL)
		return;
	esp_sa_wipe(sa);
	free(sa);
}

uint32_t esp_sa_spi(const struct esp_sa *sa)
{
	return __builtin_bswap32(sa->spi_be);
}

const struct esp_suite *esp_sa_suite(const struct esp_sa *sa)
{
	return &sa->suite;
}

bool esp_sa_esn(const struct esp_sa *sa)
{
	return sa->esn;
}

uint16_t esp_sa_head(const struct esp_sa *sa)
{
	return sa->head;
}

/* The high half of an ESN is hashed where the ICV comes to stand, which is never shorter. */
uint16_t esp_sa_tail_max(const struct esp_sa *sa)
{
	return (uint16_t)(sa->block - 1 + ESP_TRAILER + sa->icv_len);
}

uint8_t esp_sa_block(const struct esp_sa *sa)
{
	return sa->block;
}
