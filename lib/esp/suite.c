/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "esp/esp_int.h"

#include <stdio.h>

/* block: RFC 4303 2.4 wants 4 bytes at least. */
static const struct esp_cipher_def ciphers[ESP_CIPHER_MAX] = {
        [ESP_NULL] = {"null", 0, 0, 4, false, false},
        [ESP_AES_CBC] = {"aes", 0, 16, 16, false, true},
        [ESP_3DES_CBC] = {"3des", 0, 8, 8, false, false},
        [ESP_AES_CTR] = {"aes", ESP_SALT, 8, 4, false, true},
        [ESP_AES_GCM] = {"aes", ESP_SALT, 8, 4, true, true},
        [ESP_CHACHA20_POLY1305] = {"chacha20poly1305", ESP_SALT, 8, 4, true, false},
};

static const struct esp_auth_def auths[ESP_AUTH_MAX] = {
        [ESP_AUTH_AEAD] = {"", 0, 0, 0},
        [ESP_HMAC_SHA1_96] = {"sha1", 20, 12, IMB_SHA1_BLOCK_SIZE},
        [ESP_HMAC_SHA256_128] = {"sha256", 32, 16, IMB_SHA_256_BLOCK_SIZE},
        [ESP_HMAC_SHA384_192] = {"sha384", 48, 24, IMB_SHA_384_BLOCK_SIZE},
        [ESP_HMAC_SHA512_256] = {"sha512", 64, 32, IMB_SHA_512_BLOCK_SIZE},
};

const struct esp_cipher_def *esp_cipher_def(enum esp_cipher c)
{
	return (unsigned int)c < ESP_CIPHER_MAX ? &ciphers[c] : NULL;
}

const struct esp_auth_def *esp_auth_def(enum esp_auth a)
{
	return (unsigned int)a < ESP_AUTH_MAX ? &auths[a] : NULL;
}

static bool key_len_ok(const struct esp_suite *s)
{
	switch (s->cipher) {
	case ESP_NULL:
		return s->key_len == 0;
	case ESP_3DES_CBC:
		return s->key_len == 24;
	case ESP_CHACHA20_POLY1305:
		return s->key_len == 32;
	default:
		return s->key_len == 16 || s->key_len == 24 || s->key_len == 32;
	}
}

static bool icv_len_ok(const struct esp_suite *s, const struct esp_auth_def *a)
{
	if (s->cipher == ESP_AES_GCM) /* RFC 4106 6 */
		return s->icv_len == 8 || s->icv_len == 12 || s->icv_len == 16;
	if (s->cipher == ESP_CHACHA20_POLY1305)
		return s->icv_len == 16 || s->icv_len == 0;
	return s->icv_len == a->icv_len || s->icv_len == 0;
}

bool esp_suite_ok(const struct esp_suite *s)
{
	const struct esp_cipher_def *c = esp_cipher_def(s->cipher);
	const struct esp_auth_def *a = esp_auth_def(s->auth);

	return c != NULL && a != NULL && c->aead == (s->auth == ESP_AUTH_AEAD) && key_len_ok(s) &&
	       icv_len_ok(s, a);
}

const char *esp_suite_name(const struct esp_suite *s, char *buf, size_t size)
{
	const struct esp_cipher_def *c = esp_cipher_def(s->cipher);
	const struct esp_auth_def *a = esp_auth_def(s->auth);
	char bits[8] = "", icv[8] = "";

	if (c == NULL || a == NULL) {
		snprintf(buf, size, "unknown");
		return buf;
	}
	if (c->sized)
		snprintf(bits, sizeof(bits), "%u", (s->key_len * 8u) % 10000);
	if (s->cipher == ESP_AES_GCM)
		snprintf(icv, sizeof(icv), "gcm%u", s->icv_len % 1000u);
	else if (s->cipher == ESP_AES_CTR)
		snprintf(icv, sizeof(icv), "ctr");
	snprintf(buf, size, "%s%s%s%s%s", c->name, bits, icv, a->name[0] != '\0' ? "-" : "",
	         a->name);
	return buf;
}

uint16_t esp_suite_enc_key_len(const struct esp_suite *s)
{
	const struct esp_cipher_def *c = esp_cipher_def(s->cipher);

	return (uint16_t)(c != NULL ? s->key_len + c->salt : 0);
}

uint16_t esp_suite_auth_key_len(const struct esp_suite *s)
{
	const struct esp_auth_def *a = esp_auth_def(s->auth);

	return a != NULL ? a->key_len : 0;
}

const char *esp_status_name(enum esp_status s)
{
	static const char *const names[ESP_STATUS_MAX] = {
	        [ESP_OK] = "ok",
	        [ESP_SHORT] = "short",
	        [ESP_REPLAY] = "replay",
	        [ESP_AUTH] = "auth",
	        [ESP_PAD] = "padding",
	        [ESP_DUMMY] = "dummy",
	        [ESP_SEQ_END] = "sequence-end",
	};

	return (unsigned int)s < ESP_STATUS_MAX ? names[s] : "unknown";
}
