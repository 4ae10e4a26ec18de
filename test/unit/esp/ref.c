/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "unit/esp/ref.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <stdlib.h>
#include <string.h>

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool is_aead(const struct ref_sa *r)
{
	return r->suite.cipher == ESP_AES_GCM || r->suite.cipher == ESP_CHACHA20_POLY1305;
}

static bool is_cbc(const struct ref_sa *r)
{
	return r->suite.cipher == ESP_AES_CBC || r->suite.cipher == ESP_3DES_CBC;
}

size_t ref_iv_len(const struct ref_sa *r)
{
	return r->suite.cipher == ESP_NULL ? 0 : r->suite.cipher == ESP_AES_CBC ? 16 : 8;
}

size_t ref_icv_len(const struct ref_sa *r)
{
	switch (r->suite.auth) {
	case ESP_HMAC_SHA1_96:
		return 12;
	case ESP_HMAC_SHA256_128:
		return 16;
	case ESP_HMAC_SHA384_192:
		return 24;
	case ESP_HMAC_SHA512_256:
		return 32;
	default:
		return r->suite.cipher == ESP_AES_GCM ? r->suite.icv_len : 16;
	}
}

size_t ref_block(const struct ref_sa *r)
{
	return is_cbc(r) ? ref_iv_len(r) : 4;
}

static const EVP_CIPHER *cipher_of(const struct ref_sa *r)
{
	bool mid = r->suite.key_len == 24, big = r->suite.key_len == 32;

	switch (r->suite.cipher) {
	case ESP_AES_CBC:
		return big ? EVP_aes_256_cbc() : mid ? EVP_aes_192_cbc() : EVP_aes_128_cbc();
	case ESP_AES_CTR:
		return big ? EVP_aes_256_ctr() : mid ? EVP_aes_192_ctr() : EVP_aes_128_ctr();
	case ESP_AES_GCM:
		return big ? EVP_aes_256_gcm() : mid ? EVP_aes_192_gcm() : EVP_aes_128_gcm();
	case ESP_3DES_CBC:
		return EVP_des_ede3_cbc();
	case ESP_CHACHA20_POLY1305:
		return EVP_chacha20_poly1305();
	default:
		return NULL;
	}
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Without a hash: ciphers in to out; with an AEAD also makes or checks the tag. */
static bool cipher(const struct ref_sa *r, bool enc, const uint8_t *iv, const uint8_t *aad,
                   size_t aad_len, const uint8_t *in, size_t len, uint8_t *out, uint8_t *tag)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	const uint8_t *salt = r->enc + r->suite.key_len;
	uint8_t nonce[16] = {0};
	bool ok = true;
	int n;

	if (is_cbc(r)) {
		memcpy(nonce, iv, ref_iv_len(r));
	} else {
		memcpy(nonce, salt, 4);
		memcpy(nonce + 4, iv, 8);
		nonce[15] = 1;
	}
	must(c != NULL && EVP_CipherInit_ex(c, cipher_of(r), NULL, r->enc, nonce, enc) == 1);
	must(EVP_CIPHER_CTX_set_padding(c, 0) == 1);
	if (is_aead(r))
		must(EVP_CipherUpdate(c, NULL, &n, aad, (int)aad_len) == 1);
	must(EVP_CipherUpdate(c, out, &n, in, (int)len) == 1 && (size_t)n == len);
	if (is_aead(r) && !enc)
		must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, (int)ref_icv_len(r), tag) == 1);
	ok = EVP_CipherFinal_ex(c, out + len, &n) == 1;
	if (is_aead(r) && enc)
		must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, (int)ref_icv_len(r), tag) == 1);
	EVP_CIPHER_CTX_free(c);
	return ok;
}

/* The HMAC of a packet without its ICV, and the high half of the number behind it. */
static void hash(const struct ref_sa *r, uint64_t seq, const uint8_t *pkt, size_t len, uint8_t *icv)
{
	static const struct {
		const EVP_MD *(*md)(void);
		int key_len;
	} algs[ESP_AUTH_MAX] = {
	        [ESP_HMAC_SHA1_96] = {EVP_sha1, 20},
	        [ESP_HMAC_SHA256_128] = {EVP_sha256, 32},
	        [ESP_HMAC_SHA384_192] = {EVP_sha384, 48},
	        [ESP_HMAC_SHA512_256] = {EVP_sha512, 64},
	};
	uint8_t *all = malloc(len + 4), full[EVP_MAX_MD_SIZE];
	unsigned int n;

	must(all != NULL);
	memcpy(all, pkt, len);
	put32(all + len, (uint32_t)(seq >> 32));
	must(HMAC(algs[r->suite.auth].md(), r->auth, algs[r->suite.auth].key_len, all,
	          r->esn ? len + 4 : len, full, &n) != NULL);
	memcpy(icv, full, ref_icv_len(r));
	free(all);
}

static size_t make_aad(const struct ref_sa *r, uint64_t seq, uint8_t aad[12])
{
	put32(aad, r->spi);
	if (r->esn)
		put32(aad + 4, (uint32_t)(seq >> 32));
	put32(aad + (r->esn ? 8 : 4), (uint32_t)seq);
	return r->esn ? 12 : 8;
}

size_t ref_seal(const struct ref_sa *r, uint64_t seq, const uint8_t *iv, const uint8_t *inner,
                size_t len, uint8_t *out)
{
	uint8_t aad[12], *text = out + 8 + ref_iv_len(r), *icv = text + len;
	size_t aad_len = make_aad(r, seq, aad);

	put32(out, r->spi);
	put32(out + 4, (uint32_t)seq);
	memcpy(out + 8, iv, ref_iv_len(r));
	if (r->suite.cipher == ESP_NULL)
		memcpy(text, inner, len);
	else
		must(cipher(r, true, iv, aad, aad_len, inner, len, text, icv));
	if (!is_aead(r))
		hash(r, seq, out, (size_t)(icv - out), icv);
	return (size_t)(icv - out) + ref_icv_len(r);
}

size_t ref_encrypt(const struct ref_sa *r, uint64_t seq, const uint8_t *iv, const uint8_t *payload,
                   size_t len, uint8_t next_header, uint8_t *out)
{
	uint8_t *inner = malloc(len + 18);
	size_t pad = 0, n;

	must(inner != NULL);
	memcpy(inner, payload, len);
	while ((len + pad + 2) % ref_block(r) != 0) {
		inner[len + pad] = (uint8_t)(pad + 1);
		pad++;
	}
	inner[len + pad] = (uint8_t)pad;
	inner[len + pad + 1] = next_header;
	n = ref_seal(r, seq, iv, inner, len + pad + 2, out);
	free(inner);
	return n;
}

int ref_open(const struct ref_sa *r, uint64_t seq, const uint8_t *pkt, size_t len, uint8_t *inner)
{
	size_t head = 8 + ref_iv_len(r), icv_len = ref_icv_len(r), n = len - head - icv_len;
	uint8_t aad[12], icv[32], was[8];
	size_t aad_len = make_aad(r, seq, aad);

	put32(was, r->spi);
	put32(was + 4, (uint32_t)seq);
	if (len < head + icv_len + 2 || n % ref_block(r) != 0 || memcmp(was, pkt, 8) != 0)
		return -1;
	memcpy(icv, pkt + len - icv_len, icv_len);
	if (!is_aead(r)) {
		uint8_t want[32];

		hash(r, seq, pkt, len - icv_len, want);
		if (memcmp(want, icv, icv_len) != 0)
			return -1;
	}
	if (r->suite.cipher == ESP_NULL)
		memcpy(inner, pkt + head, n);
	else if (!cipher(r, false, pkt + 8, aad, aad_len, pkt + head, n, inner, icv))
		return -1;
	return (int)n;
}

int ref_decrypt(const struct ref_sa *r, uint64_t seq, const uint8_t *pkt, size_t len,
                uint8_t *payload, uint8_t *next_header)
{
	int n = ref_open(r, seq, pkt, len, payload), pad;

	if (n < 2)
		return -1;
	pad = payload[n - 2];
	*next_header = payload[n - 1];
	/* As little as there may be: our own packets are to be no longer. */
	if (pad >= (int)ref_block(r) || pad > n - 2)
		return -1;
	for (int i = 0; i < pad; i++) {
		if (payload[n - 2 - pad + i] != i + 1)
			return -1;
	}
	return n - 2 - pad;
}

void ref_cbc_iv(const struct ref_sa *r, uint64_t counter, uint8_t *iv)
{
	static const uint8_t zero[16];
	uint8_t block[16] = {0}, out[32];

	put32(block, (uint32_t)(counter >> 32));
	put32(block + 4, (uint32_t)counter);
	must(cipher(r, true, zero, NULL, 0, block, ref_iv_len(r), out, NULL));
	memcpy(iv, out, ref_iv_len(r));
}
