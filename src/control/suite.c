/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What charon calls the algorithms: the transform ids of IKEv2 (IANA "IKEv2 Parameters"). */
#include "control/ipsec_int.h"

enum { ENC_3DES = 3, ENC_NULL = 11, ENC_AES_CBC = 12, ENC_AES_CTR = 13, ENC_AES_GCM_8 = 18 };
enum { ENC_AES_GCM_12 = 19, ENC_AES_GCM_16 = 20, ENC_CHACHA20_POLY1305 = 28 };
enum { AUTH_NONE = 0, AUTH_SHA1_96 = 2, AUTH_SHA256_128 = 12, AUTH_SHA384_192 = 13 };
enum { AUTH_SHA512_256 = 14, AUTH_UNDEFINED = 1024 /* charon's own number for none */ };

static const struct {
	uint16_t alg;
	enum esp_cipher cipher;
	uint16_t salt; /* bytes behind the key: RFC 3686 4, 4106 8.1, 7634 2 */
	uint16_t icv; /* 0: a hash is needed */
	uint16_t key[3]; /* lengths that there are */
} ciphers[] = {
        {ENC_3DES, ESP_3DES_CBC, 0, 0, {24, 24, 24}},
        {ENC_NULL, ESP_NULL, 0, 0, {0, 0, 0}},
        {ENC_AES_CBC, ESP_AES_CBC, 0, 0, {16, 24, 32}},
        {ENC_AES_CTR, ESP_AES_CTR, 4, 0, {16, 24, 32}},
        {ENC_AES_GCM_8, ESP_AES_GCM, 4, 8, {16, 24, 32}},
        {ENC_AES_GCM_12, ESP_AES_GCM, 4, 12, {16, 24, 32}},
        {ENC_AES_GCM_16, ESP_AES_GCM, 4, 16, {16, 24, 32}},
        {ENC_CHACHA20_POLY1305, ESP_CHACHA20_POLY1305, 4, 16, {32, 32, 32}},
};

static const struct {
	uint16_t alg;
	enum esp_auth auth;
	uint16_t key;
} hashes[] = {
        {AUTH_SHA1_96, ESP_HMAC_SHA1_96, 20},
        {AUTH_SHA256_128, ESP_HMAC_SHA256_128, 32},
        {AUTH_SHA384_192, ESP_HMAC_SHA384_192, 48},
        {AUTH_SHA512_256, ESP_HMAC_SHA512_256, 64},
};

#define N(a) (sizeof(a) / sizeof((a)[0]))

static bool find_cipher(uint16_t alg, uint16_t len, struct esp_suite *out)
{
	for (size_t i = 0; i < N(ciphers); i++) {
		if (ciphers[i].alg != alg)
			continue;
		for (size_t j = 0; j < N(ciphers[i].key); j++) {
			if (ciphers[i].key[j] + ciphers[i].salt != len)
				continue;
			out->cipher = ciphers[i].cipher;
			out->key_len = ciphers[i].key[j];
			out->icv_len = ciphers[i].icv;
			return true;
		}
	}
	return false;
}

bool suite_of(uint16_t enc_alg, uint16_t enc_key_len, uint16_t auth_alg, uint16_t auth_key_len,
              struct esp_suite *out)
{
	*out = (struct esp_suite){0};
	if (!find_cipher(enc_alg, enc_key_len, out))
		return false;
	if (auth_alg == AUTH_NONE || auth_alg == AUTH_UNDEFINED) {
		out->auth = ESP_AUTH_AEAD;
		return out->icv_len != 0 && auth_key_len == 0;
	}
	if (out->icv_len != 0)
		return false;
	for (size_t i = 0; i < N(hashes); i++) {
		if (hashes[i].alg != auth_alg || hashes[i].key != auth_key_len)
			continue;
		out->auth = hashes[i].auth;
		return true;
	}
	return false;
}

/* The same, of a suite by its own names. */
bool suite_keys(const struct esp_suite *s, uint16_t *enc_key_len, uint16_t *auth_key_len)
{
	*enc_key_len = s->key_len;
	for (size_t i = 0; i < N(hashes); i++) {
		if (hashes[i].auth != s->auth)
			continue;
		*auth_key_len = hashes[i].key;
		return s->cipher == ESP_NULL
		               ? s->key_len == 0
		               : s->cipher == ESP_AES_CBC &&
		                         (s->key_len == 16 || s->key_len == 24 || s->key_len == 32);
	}
	return false;
}
