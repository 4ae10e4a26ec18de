/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "l2tp/hide.h"

#include "l2tp/avp.h"

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct piece {
	const void *p;
	size_t len;
};

/* MD5 over up to three pieces. */
static bool md5(const struct piece *pieces, size_t n, uint8_t out[L2TP_HIDE_BLOCK])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1;

	for (size_t i = 0; ok && i < n; i++)
		ok = pieces[i].len == 0 || EVP_DigestUpdate(ctx, pieces[i].p, pieces[i].len) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx); /* cleanses its state */
	return ok;
}

bool l2tp_hide_crypt(bool hide, uint16_t attr, const struct l2tp_hide_key *key, const uint8_t *in,
                     uint8_t *out, size_t len)
{
	uint8_t type[2], pad[L2TP_HIDE_BLOCK], cipher[L2TP_HIDE_BLOCK];
	struct piece first[] = {
	        {type, sizeof(type)},
	        {key->secret, key->secret_len},
	        {key->vector, key->vector_len},
	};
	struct piece next[] = {{key->secret, key->secret_len}, {cipher, sizeof(cipher)}};
	bool ok = true;

	l2tp_put16(type, attr);
	for (size_t at = 0; ok && at < len; at += L2TP_HIDE_BLOCK) {
		size_t n = len - at < L2TP_HIDE_BLOCK ? len - at : L2TP_HIDE_BLOCK;

		ok = at == 0 ? md5(first, 3, pad) : md5(next, 2, pad);
		for (size_t i = 0; ok && i < n; i++) {
			uint8_t c = in[at + i];

			out[at + i] = c ^ pad[i];
			cipher[i] = hide ? out[at + i] : c;
		}
	}
	if (!ok)
		explicit_bzero(out, len);
	explicit_bzero(pad, sizeof(pad));
	explicit_bzero(cipher, sizeof(cipher));
	return ok;
}

void l2tp_challenge_response(uint8_t msg_type, const uint8_t *secret, size_t secret_len,
                             const uint8_t *challenge, size_t challenge_len, uint8_t out[16])
{
	struct piece pieces[] = {
	        {&msg_type, 1},
	        {secret, secret_len},
	        {challenge, challenge_len},
	};

	if (md5(pieces, 3, out))
		return;
	/* Nobody may be able to foretell what a response is compared with; this takes no memory. */
	if (getrandom(out, 16, 0) != 16)
		abort();
}
