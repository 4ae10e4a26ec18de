/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The hashes and the cipher of CHAP and MS-CHAPv2, from libcrypto. MD4 and DES live in OpenSSL 3's
 * legacy provider, a module that a hardened or static installation may not have. Their old
 * low-level functions need no provider; the warning about them is silenced in this file alone.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "ppp/ppp_int.h"

#include <openssl/crypto.h>
#include <openssl/des.h>
#include <openssl/evp.h>
#include <openssl/md4.h>

static bool digest(const EVP_MD *md, const struct chunk *c, size_t n, uint8_t *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1;

	for (size_t i = 0; ok && i < n; i++)
		ok = c[i].len == 0 || EVP_DigestUpdate(ctx, c[i].p, c[i].len) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

bool digest_md5(const struct chunk *c, size_t n, uint8_t out[16])
{
	return digest(EVP_md5(), c, n, out);
}

bool digest_sha1(const struct chunk *c, size_t n, uint8_t out[20])
{
	return digest(EVP_sha1(), c, n, out);
}

bool digest_sha256(const struct chunk *c, size_t n, uint8_t out[32])
{
	return digest(EVP_sha256(), c, n, out);
}

bool digest_md4(const void *p, size_t len, uint8_t out[16])
{
	MD4_CTX ctx;
	bool ok = MD4_Init(&ctx) == 1 && MD4_Update(&ctx, p, len) == 1 && MD4_Final(out, &ctx) == 1;

	OPENSSL_cleanse(&ctx, sizeof(ctx));
	return ok;
}

void digest_des(const uint8_t key7[7], const uint8_t in[8], uint8_t out[8])
{
	DES_cblock key, from, to;
	DES_key_schedule ks;

	/* Seven bits to a byte, the low bit being parity that DES ignores. */
	for (int i = 0; i < 8; i++) {
		unsigned int hi = i > 0 ? (unsigned int)key7[i - 1] << (8 - i) : 0;
		unsigned int lo = i < 7 ? key7[i] >> i : 0;

		key[i] = (uint8_t)((hi | lo) & 0xfe);
		from[i] = in[i];
	}
	DES_set_key_unchecked(&key, &ks);
	DES_ecb_encrypt(&from, &to, &ks, DES_ENCRYPT);
	for (int i = 0; i < 8; i++)
		out[i] = to[i];
	OPENSSL_cleanse(&ks, sizeof(ks));
	OPENSSL_cleanse(key, sizeof(key));
}
