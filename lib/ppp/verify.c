/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The arithmetic of CHAP (RFC 1994 4.1) and MS-CHAPv2 (RFC 2759 8). */
#include "ppp/ppp_int.h"

#include <openssl/crypto.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PASSWORD_CHARS_MAX 256 /* RFC 2759 8.1: 0-to-256-unicode-char */

bool chap_md5_response(uint8_t id, const uint8_t *secret, size_t secret_len,
                       const uint8_t *challenge, size_t challenge_len, uint8_t out[16])
{
	const struct chunk c[] = {{&id, 1}, {secret, secret_len}, {challenge, challenge_len}};

	return digest_md5(c, 3, out);
}

bool ppp_chap_md5_verify(uint8_t id, const uint8_t *secret, size_t secret_len,
                         const uint8_t *challenge, size_t challenge_len, const uint8_t response[16])
{
	uint8_t want[16];
	bool ok;

	ok = chap_md5_response(id, secret, secret_len, challenge, challenge_len, want) &&
	     CRYPTO_memcmp(want, response, sizeof(want)) == 0;
	OPENSSL_cleanse(want, sizeof(want));
	return ok;
}

/* One character of UTF-8 (RFC 3629 3), or -1; overlong forms and surrogates are refused. */
static int32_t utf8_next(const uint8_t **s)
{
	const uint8_t *p = *s;
	int32_t c = p[0], least;
	int more;

	if (c < 0x80) {
		more = 0, least = 0;
	} else if ((c & 0xe0) == 0xc0) {
		c &= 0x1f, more = 1, least = 0x80;
	} else if ((c & 0xf0) == 0xe0) {
		c &= 0x0f, more = 2, least = 0x800;
	} else if ((c & 0xf8) == 0xf0) {
		c &= 0x07, more = 3, least = 0x10000;
	} else {
		return -1;
	}
	for (int i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80) /* the terminating NUL ends up here, too */
			return -1;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return -1;
	*s = p + 1 + more;
	return c;
}

static size_t put_utf16le(uint8_t *out, int32_t c)
{
	uint32_t hi, lo;

	if (c < 0x10000) {
		out[0] = (uint8_t)c;
		out[1] = (uint8_t)(c >> 8);
		return 2;
	}
	hi = 0xd800 + ((uint32_t)(c - 0x10000) >> 10);
	lo = 0xdc00 + ((uint32_t)(c - 0x10000) & 0x3ff);
	out[0] = (uint8_t)hi;
	out[1] = (uint8_t)(hi >> 8);
	out[2] = (uint8_t)lo;
	out[3] = (uint8_t)(lo >> 8);
	return 4;
}

int ppp_nt_hash(const char *password, uint8_t out[16])
{
	const uint8_t *s = (const uint8_t *)password;
	uint8_t wide[4 * PASSWORD_CHARS_MAX];
	size_t n = 0;
	int ret = 0;

	for (int chars = 0; *s != '\0'; chars++) {
		int32_t c = chars < PASSWORD_CHARS_MAX ? utf8_next(&s) : -1;

		if (c < 0) {
			ret = -EINVAL;
			break;
		}
		n += put_utf16le(wide + n, c);
	}
	if (ret == 0 && !digest_md4(wide, n, out))
		ret = -EINVAL;
	OPENSSL_cleanse(wide, sizeof(wide));
	return ret;
}

/* RFC 2759 8.2: the first 8 bytes of a SHA-1 */
static bool challenge_hash(const uint8_t peer[16], const uint8_t auth[16], const char *user,
                           uint8_t out[8])
{
	const struct chunk c[] = {{peer, 16}, {auth, 16}, {user, strlen(user)}};
	uint8_t sha[20];

	if (!digest_sha1(c, 3, sha))
		return false;
	memcpy(out, sha, 8);
	return true;
}

/* RFC 2759 8.5 */
bool mschapv2_nt_response(const uint8_t nt_hash[16], const char *user, const uint8_t challenge[16],
                          const uint8_t peer_challenge[16], uint8_t out[24])
{
	uint8_t h[8], key[21] = {0};

	if (!challenge_hash(peer_challenge, challenge, user, h))
		return false;
	memcpy(key, nt_hash, 16);
	for (int i = 0; i < 3; i++)
		digest_des(key + 7 * i, h, out + 8 * i);
	OPENSSL_cleanse(key, sizeof(key));
	return true;
}

/* RFC 2759 8.7, with the two constants given there */
bool mschapv2_auth_response(const uint8_t nt_hash[16], const char *user,
                            const uint8_t challenge[16], const uint8_t peer_challenge[16],
                            const uint8_t nt_response[24], char out[41])
{
	static const char magic1[] = "Magic server to client signing constant";
	static const char magic2[] = "Pad to make it do more than one iteration";
	uint8_t hash_hash[16], h[8], sha[20];
	bool ok;

	ok = digest_md4(nt_hash, 16, hash_hash) &&
	     challenge_hash(peer_challenge, challenge, user, h);
	if (ok) {
		const struct chunk a[] = {{hash_hash, 16}, {nt_response, 24}, {magic1, 39}};
		const struct chunk b[] = {{sha, 20}, {h, 8}, {magic2, 41}};

		ok = digest_sha1(a, 3, sha) && digest_sha1(b, 3, sha);
	}
	for (int i = 0; ok && i < 20; i++)
		snprintf(out + 2 * i, 3, "%02X", sha[i]);
	OPENSSL_cleanse(hash_hash, sizeof(hash_hash));
	return ok;
}

bool ppp_mschapv2_verify(const uint8_t nt_hash[16], const char *user, const uint8_t challenge[16],
                         const uint8_t response[49], char success[41])
{
	const uint8_t *peer_challenge = response, *nt = response + 24; /* RFC 2759 4 */
	uint8_t want[24];
	bool ok;

	ok = mschapv2_nt_response(nt_hash, user, challenge, peer_challenge, want) &&
	     CRYPTO_memcmp(want, nt, sizeof(want)) == 0;
	OPENSSL_cleanse(want, sizeof(want));
	return ok && mschapv2_auth_response(nt_hash, user, challenge, peer_challenge, nt, success);
}
