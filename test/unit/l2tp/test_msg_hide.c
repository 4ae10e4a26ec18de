/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Hidden attribute values (RFC 2661 4.3) and the Challenge Response (4.4.3). */
#include "test_msg_samples.h"
#include "test_msg_util.h"
#include "suite.h"

#include <openssl/evp.h>

#define NAME   "alice.of.wonderland@example.net.and.more"
#define VECTOR "\x10\x32\x54\x76\x98\xba\xdc\xfe\x01\x23\x45\x67\x89\xab\xcd\xef"

static struct raw r;
static struct l2tp_msg m;
static uint16_t bad;

static enum l2tp_msg_error parse(const char *secret)
{
	return raw_parse(&r, secret, &m, &bad);
}

/* 4.3 once more, from one buffer and by another call than the library's. */
static void hide(uint16_t attr, const char *secret, const void *rv, size_t rv_len, uint8_t *v,
                 size_t len)
{
	uint8_t in[2048], pad[16];
	size_t n = 0;

	in[n++] = (uint8_t)(attr >> 8);
	in[n++] = (uint8_t)attr;
	memcpy(in + n, secret, strlen(secret));
	n += strlen(secret);
	memcpy(in + n, rv, rv_len);
	n += rv_len;
	for (size_t at = 0; at < len; at += 16) {
		CU_ASSERT_FATAL(EVP_Q_digest(NULL, "MD5", NULL, in, n, pad, NULL) == 1);
		for (size_t i = 0; i < 16 && at + i < len; i++)
			v[at + i] ^= pad[i];
		memcpy(in, secret, strlen(secret));
		n = strlen(secret);
		if (len - at >= 16)
			memcpy(in + n, v + at, 16);
		n += 16;
	}
}

/* Adds a hidden AVP whose inner length field is inner and whose subformat has len bytes in all. */
static void raw_hidden(uint16_t flags, uint16_t type, size_t inner, const char *text, size_t len)
{
	uint8_t v[L2TP_AVP_VALUE] = {(uint8_t)(inner >> 8), (uint8_t)inner};

	if (len > 2)
		strncpy((char *)v + 2, text, len - 2);
	hide(type, SAMPLE_SECRET, VECTOR, 16, v, len);
	raw_avp(&r, flags | F_H, type, v, len);
}

static void begin_with_vector(void)
{
	raw_begin(&r, L2TP_HELLO);
	raw_avp(&r, F_M, L2TP_AVP_RANDOM_VECTOR, VECTOR, 16);
}

/* Computed apart from this program. */
static void test_known_answers(void)
{
	static const uint8_t tunnel[] = {0x63, 0x8b, 0x22, 0x40};
	static const char name[] = "\xab\x62\xd8\xa2\xe8\x09\x1a\x27\xb2\x85\x4e\xc7\xde\x3d\x92"
	                           "\x25\xa6\xd3\x11\xcf\x90\x36\x66\xea\xcf\x71\x01\x97\x10\x3f"
	                           "\xe7\xce\x4a\x67\x81\xde\x9f\x9d\xde\x7c\xcc\xec";
	static const char padding[] = "\x1a\x9f\x03\xa2\xae\x8e\xb9\x31";
	uint8_t padded[50];

	memcpy(padded, name, 42);
	memcpy(padded + 42, padding, 8);
	for (int with_padding = 0; with_padding < 2; with_padding++) {
		begin_with_vector();
		raw_avp(&r, F_M | F_H, L2TP_AVP_ASSIGNED_TUNNEL_ID, tunnel, 4);
		raw_avp(&r, F_H, L2TP_AVP_PROXY_AUTH_NAME, padded, with_padding != 0 ? 50 : 42);
		CU_ASSERT_EQUAL(parse(SAMPLE_SECRET), L2TP_MSG_OK);
		CU_ASSERT_EQUAL(m.n_ignored, 0);
		CU_ASSERT_EQUAL(m.assigned_tunnel_id, 0x1234);
		CU_ASSERT_EQUAL(m.proxy_auth_name.len, sizeof(NAME) - 1);
		CU_ASSERT_EQUAL(memcmp(m.proxy_auth_name.p, NAME, sizeof(NAME) - 1), 0);
	}
	/* Nothing but a length of nothing, and a vector of one byte. */
	raw_begin(&r, L2TP_HELLO);
	raw_avp(&r, F_M, L2TP_AVP_RANDOM_VECTOR, "v", 1);
	raw_avp(&r, F_M | F_H, L2TP_AVP_CALLED_NUMBER, "\xaf\x8f", 2);
	CU_ASSERT_EQUAL(parse(SAMPLE_SECRET), L2TP_MSG_OK);
	CU_ASSERT(l2tp_msg_has(&m, L2TP_AVP_CALLED_NUMBER));
	CU_ASSERT_EQUAL(m.called_number.len, 0);
}

static void test_built_known_answer(void)
{
	static const uint8_t expect[] = {
	        0x80, 0x16, 0,    0,    0,    36,   0x10, 0x32, 0x54, 0x76, 0x98,
	        0xba, 0xdc, 0xfe, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
	        0xc0, 0x0a, 0,    0,    0,    9,    0x63, 0x8b, 0x22, 0x40,
	};
	struct l2tp_build b;
	uint8_t p[64];

	l2tp_build_begin(&b, p, sizeof(p), L2TP_HELLO, 7, 9);
	l2tp_build_hide(&b, (const uint8_t *)SAMPLE_SECRET, strlen(SAMPLE_SECRET),
	                (const uint8_t *)VECTOR);
	l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 0x1234);
	CU_ASSERT_EQUAL(l2tp_build_end(&b), 20 + sizeof(expect));
	CU_ASSERT_EQUAL(memcmp(p + 20, expect, sizeof(expect)), 0);
}

/* The library against the other code path, for lengths around the blocks, in place and not. */
static void test_cross_check(void)
{
	static uint8_t in[1017], mine[1017], theirs[1017], back[1017];
	struct l2tp_hide_key key = {(const uint8_t *)SAMPLE_SECRET, strlen(SAMPLE_SECRET),
	                            (const uint8_t *)VECTOR, 16};
	size_t step = 1;

	for (size_t len = 0; len <= sizeof(in); len += step, step = len < 70 ? 1 : 37) {
		for (size_t i = 0; i < len; i++)
			in[i] = theirs[i] = (uint8_t)(i * 7 + len);
		hide(26, SAMPLE_SECRET, VECTOR, 16, theirs, len);
		CU_ASSERT(l2tp_hide_crypt(true, 26, &key, in, mine, len));
		CU_ASSERT_EQUAL(memcmp(mine, theirs, len), 0);
		CU_ASSERT(l2tp_hide_crypt(false, 26, &key, mine, back, len));
		CU_ASSERT_EQUAL(memcmp(back, in, len), 0);
		CU_ASSERT(l2tp_hide_crypt(false, 26, &key, mine, mine, len));
		CU_ASSERT_EQUAL(memcmp(mine, in, len), 0);
		CU_ASSERT(l2tp_hide_crypt(true, 26, &key, mine, mine, len));
		CU_ASSERT_EQUAL(memcmp(mine, theirs, len), 0);
	}
}

static void test_no_secret(void)
{
	begin_with_vector();
	raw_hidden(F_M, L2TP_AVP_CALLED_NUMBER, 3, "123", 5);
	CU_ASSERT_EQUAL(parse(NULL), L2TP_MSG_NO_SECRET);
	CU_ASSERT_EQUAL(bad, L2TP_AVP_CALLED_NUMBER);
	CU_ASSERT(!l2tp_msg_has(&m, L2TP_AVP_CALLED_NUMBER));
	begin_with_vector();
	raw_hidden(0, L2TP_AVP_CALLED_NUMBER, 3, "123", 5);
	CU_ASSERT_EQUAL(parse(NULL), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.n_ignored, 1);
	CU_ASSERT(!l2tp_msg_has(&m, L2TP_AVP_CALLED_NUMBER));
	CU_ASSERT_EQUAL(m.scratch_used, 0);
}

static void test_no_vector(void)
{
	raw_begin(&r, L2TP_HELLO);
	raw_hidden(F_M, L2TP_AVP_CALLED_NUMBER, 3, "123", 5);
	raw_avp(&r, F_M, L2TP_AVP_RANDOM_VECTOR, VECTOR, 16); /* too late */
	CU_ASSERT_EQUAL(parse(SAMPLE_SECRET), L2TP_MSG_NO_VECTOR);
	CU_ASSERT_EQUAL(bad, L2TP_AVP_CALLED_NUMBER);
	raw_begin(&r, L2TP_HELLO);
	raw_hidden(0, L2TP_AVP_CALLED_NUMBER, 3, "123", 5);
	CU_ASSERT_EQUAL(parse(SAMPLE_SECRET), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.n_ignored, 1);
	/* A vector that is hidden itself, or empty, is no vector. */
	raw_begin(&r, L2TP_HELLO);
	raw_avp(&r, F_M | F_H, L2TP_AVP_RANDOM_VECTOR, VECTOR, 16);
	CU_ASSERT_EQUAL(parse(SAMPLE_SECRET), L2TP_MSG_BAD_VALUE);
	raw_begin(&r, L2TP_HELLO);
	raw_avp(&r, 0, L2TP_AVP_RANDOM_VECTOR, NULL, 0);
	raw_hidden(F_M, L2TP_AVP_CALLED_NUMBER, 3, "123", 5);
	CU_ASSERT_EQUAL(parse(SAMPLE_SECRET), L2TP_MSG_NO_VECTOR);
}

/* The length inside is as hostile as any: whatever it claims, only a fitting one is believed. */
static void test_inner_length(void)
{
	for (size_t len = 2; len <= 40; len++) {
		for (size_t inner = 0; inner <= 0xffff;
		     inner = inner < 64 ? inner + 1 : inner * 2) {
			bool good = inner <= len - 2;

			begin_with_vector();
			raw_hidden(F_M, L2TP_AVP_CALLED_NUMBER, inner, NAME, len);
			CU_ASSERT_EQUAL(parse(SAMPLE_SECRET),
			                good ? L2TP_MSG_OK : L2TP_MSG_BAD_VALUE);
			CU_ASSERT_EQUAL(l2tp_msg_has(&m, L2TP_AVP_CALLED_NUMBER), good);
			CU_ASSERT_EQUAL(m.called_number.len, good ? inner : 0);
			begin_with_vector();
			raw_hidden(0, L2TP_AVP_CALLED_NUMBER, inner, NAME, len);
			CU_ASSERT_EQUAL(parse(SAMPLE_SECRET), L2TP_MSG_OK);
			CU_ASSERT_EQUAL(m.n_ignored, good ? 0 : 1);
		}
	}
	for (size_t len = 0; len < 2; len++) {
		begin_with_vector();
		raw_avp(&r, F_M | F_H, L2TP_AVP_CALLED_NUMBER, "x", len);
		CU_ASSERT_EQUAL(parse(SAMPLE_SECRET), L2TP_MSG_BAD_VALUE);
	}
}

/* The value rules hold for what comes out, too. */
static void test_inner_value(void)
{
	begin_with_vector();
	raw_hidden(F_M, L2TP_AVP_ASSIGNED_TUNNEL_ID, 2, "\x00\x00", 4);
	CU_ASSERT_EQUAL(parse(SAMPLE_SECRET), L2TP_MSG_BAD_VALUE);
	begin_with_vector();
	raw_hidden(F_M, L2TP_AVP_ASSIGNED_TUNNEL_ID, 3, "abc", 5);
	CU_ASSERT_EQUAL(parse(SAMPLE_SECRET), L2TP_MSG_BAD_VALUE);
	/* Padding does not make a short value long. */
	begin_with_vector();
	raw_hidden(F_M, L2TP_AVP_CHALLENGE_RESPONSE, 15, NAME, 40);
	CU_ASSERT_EQUAL(parse(SAMPLE_SECRET), L2TP_MSG_BAD_VALUE);
	begin_with_vector();
	raw_hidden(F_M, L2TP_AVP_CHALLENGE_RESPONSE, 16, NAME, 40);
	CU_ASSERT_EQUAL(parse(SAMPLE_SECRET), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(memcmp(m.challenge_response, NAME, 16), 0);
	/* What need not be hidden may be (4.1 leaves it to the sender's table). */
	begin_with_vector();
	raw_hidden(F_M, L2TP_AVP_HOST_NAME, 4, "host", 6);
	CU_ASSERT_EQUAL(parse(SAMPLE_SECRET), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.host_name.len, 4);
}

static void test_latest_vector(void)
{
	uint8_t v[] = {0, 3, '5', '5', '5'};
	uint8_t w[] = {0, 3, '6', '6', '6'};

	raw_begin(&r, L2TP_HELLO);
	raw_avp(&r, F_M, L2TP_AVP_RANDOM_VECTOR, "first", 5);
	hide(L2TP_AVP_CALLED_NUMBER, SAMPLE_SECRET, "first", 5, v, sizeof(v));
	raw_avp(&r, F_M | F_H, L2TP_AVP_CALLED_NUMBER, v, sizeof(v));
	raw_avp(&r, F_M, L2TP_AVP_RANDOM_VECTOR, VECTOR, 16);
	raw_avp(&r, F_M, L2TP_AVP_RANDOM_VECTOR, "a longer third one", 18);
	hide(L2TP_AVP_CALLING_NUMBER, SAMPLE_SECRET, "a longer third one", 18, w, sizeof(w));
	raw_avp(&r, F_M | F_H, L2TP_AVP_CALLING_NUMBER, w, sizeof(w));
	CU_ASSERT_EQUAL(parse(SAMPLE_SECRET), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.called_number.len, 3);
	CU_ASSERT_EQUAL(memcmp(m.called_number.p, "555", 3), 0);
	CU_ASSERT_EQUAL(m.calling_number.len, 3);
	CU_ASSERT_EQUAL(memcmp(m.calling_number.p, "666", 3), 0);
}

static void test_wrong_secret(void)
{
	static uint8_t p[L2TP_MSG_MAX];
	unsigned refused = 0;

	for (unsigned n = 0; n < SAMPLE_COUNT; n++) {
		size_t len = sample_build(n, true, p, sizeof(p));

		if (parse_bytes(p, len, "another secret", &m, &bad) != L2TP_MSG_OK)
			refused++;
		CU_ASSERT_EQUAL(parse_bytes(p, len, SAMPLE_SECRET, &m, &bad), L2TP_MSG_OK);
	}
	CU_ASSERT(refused >= 10);
}

/* Values that were refused after the cipher do not stay behind in scratch. */
static void test_refused_is_wiped(void)
{
	bool found = false;

	begin_with_vector();
	raw_hidden(F_M, L2TP_AVP_PROXY_AUTH_NAME, 60, NAME, 42);
	CU_ASSERT_EQUAL(parse(SAMPLE_SECRET), L2TP_MSG_BAD_VALUE);
	for (size_t i = 0; i + 5 <= sizeof(m.scratch); i++)
		found = found || memcmp(m.scratch + i, NAME, 5) == 0;
	CU_ASSERT(!found);
}

static void test_build_limits(void)
{
	static uint8_t p[L2TP_MSG_MAX], v[L2TP_AVP_VALUE];
	const uint8_t *secret = (const uint8_t *)SAMPLE_SECRET;
	struct l2tp_build b;

	for (size_t len = 1010; len <= 1017; len++) {
		l2tp_build_begin(&b, p, sizeof(p), L2TP_HELLO, 7, 9);
		l2tp_build_hide(&b, secret, strlen(SAMPLE_SECRET), (const uint8_t *)VECTOR);
		l2tp_build_bytes(&b, L2TP_AVP_CALLED_NUMBER, v, len);
		CU_ASSERT_EQUAL(l2tp_build_end(&b) != 0, len <= 1015);
	}
	/* Without a secret nothing is hidden, and no vector is sent. */
	l2tp_build_begin(&b, p, sizeof(p), L2TP_HELLO, 7, 9);
	l2tp_build_hide(&b, secret, 0, (const uint8_t *)VECTOR);
	l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 1);
	CU_ASSERT_EQUAL(l2tp_build_end(&b), 28);
	CU_ASSERT_EQUAL(parse_bytes(p, 28, NULL, &m, &bad), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.assigned_tunnel_id, 1);
}

static void test_challenge_response(void)
{
	static const uint8_t expect[16] = {0xee, 0x4d, 0xac, 0x82, 0x0e, 0x46, 0xa6, 0x13,
	                                   0xb5, 0xa0, 0xa7, 0x49, 0x03, 0x63, 0xfd, 0xa3};
	uint8_t out[16], other[16];

	l2tp_challenge_response(L2TP_SCCRP, (const uint8_t *)SAMPLE_SECRET, strlen(SAMPLE_SECRET),
	                        (const uint8_t *)"challenge", 9, out);
	CU_ASSERT_EQUAL(memcmp(out, expect, 16), 0);
	/* The type of the answering message is part of it. */
	l2tp_challenge_response(L2TP_SCCCN, (const uint8_t *)SAMPLE_SECRET, strlen(SAMPLE_SECRET),
	                        (const uint8_t *)"challenge", 9, other);
	CU_ASSERT_NOT_EQUAL(memcmp(out, other, 16), 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"known answers", test_known_answers},
	        {"known answer of the builder", test_built_known_answer},
	        {"cross-check", test_cross_check},
	        {"no secret", test_no_secret},
	        {"no vector", test_no_vector},
	        {"inner length", test_inner_length},
	        {"inner value", test_inner_value},
	        {"latest vector", test_latest_vector},
	        {"wrong secret", test_wrong_secret},
	        {"refused values are wiped", test_refused_is_wiped},
	        {"limits of building", test_build_limits},
	        {"challenge response", test_challenge_response},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("l2tp hide", tests);
}
