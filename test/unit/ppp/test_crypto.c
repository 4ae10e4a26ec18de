/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Known answers: RFC 2759 9.2, RFC 1994 4.1 over RFC 1321's MD5. */
#include "unit/ppp/harness.h"

#include <errno.h>
#include <string.h>

/* RFC 2759 9.2 */
static const uint8_t auth_challenge[16] = {0x5B, 0x5D, 0x7C, 0x7D, 0x7B, 0x3F, 0x2F, 0x3E,
                                           0x3C, 0x2C, 0x60, 0x21, 0x32, 0x26, 0x26, 0x28};
static const uint8_t response[49] = {0x21, 0x40, 0x23, 0x24, 0x25, 0x5E, 0x26, 0x2A, 0x28, 0x29,
                                     0x5F, 0x2B, 0x3A, 0x33, 0x7C, 0x7E, 0,    0,    0,    0,
                                     0,    0,    0,    0,    0x82, 0x30, 0x9E, 0xCD, 0x8D, 0x70,
                                     0x8B, 0x5E, 0xA0, 0x8F, 0xAA, 0x39, 0x81, 0xCD, 0x83, 0x54,
                                     0x42, 0x33, 0x11, 0x4A, 0x3D, 0x85, 0xD6, 0xDF, 0};
static const uint8_t password_hash[16] = {0x44, 0xEB, 0xBA, 0x8D, 0x53, 0x12, 0xB8, 0xD6,
                                          0x11, 0x47, 0x44, 0x11, 0xF5, 0x69, 0x89, 0xAE};

static void test_mschapv2(void)
{
	uint8_t nt[16], bad[49];
	char success[41] = "";

	CU_ASSERT_EQUAL(ppp_nt_hash("clientPass", nt), 0);
	CU_ASSERT_EQUAL(memcmp(nt, password_hash, 16), 0);
	CU_ASSERT_TRUE(ppp_mschapv2_verify(nt, "User", auth_challenge, response, success));
	CU_ASSERT_STRING_EQUAL(success, "407A5589115FD0D6209F510FE9C04566932CDA56");
	for (int i = 0; i < 48; i++) {
		if (i >= 16 && i < 24)
			continue; /* reserved, and not signed */
		memcpy(bad, response, sizeof(bad));
		bad[i] ^= 0x40;
		CU_ASSERT_FALSE(ppp_mschapv2_verify(nt, "User", auth_challenge, bad, success));
	}
	CU_ASSERT_FALSE(ppp_mschapv2_verify(nt, "user", auth_challenge, response, success));
	nt[0] ^= 1;
	CU_ASSERT_FALSE(ppp_mschapv2_verify(nt, "User", auth_challenge, response, success));
}

static void test_nt_hash(void)
{
	/* MD4 of nothing, RFC 1320 A.5 */
	static const uint8_t empty[16] = {0x31, 0xd6, 0xcf, 0xe0, 0xd1, 0x6a, 0xe9, 0x31,
	                                  0xb7, 0x3c, 0x59, 0xd7, 0xe0, 0xc0, 0x89, 0xc0};
	static const char *const bad[] = {
	        "\x80",     "\xc3",         "\xc0\xaf",         "\xe0\x80\xaf",
	        "\xff",     "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\xe2\x82",
	        "\xf8\x88", "\xc3(",        "\xf0\x9f\x98"};
	uint8_t nt[16], other[16];
	char big[258];

	CU_ASSERT_EQUAL(ppp_nt_hash("", nt), 0);
	CU_ASSERT_EQUAL(memcmp(nt, empty, 16), 0);
	CU_ASSERT_EQUAL(ppp_nt_hash("\xc3\xa4", nt), 0); /* two, three and four bytes */
	CU_ASSERT_EQUAL(ppp_nt_hash("\xe2\x82\xac", other), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(nt, other, 16), 0);
	CU_ASSERT_EQUAL(ppp_nt_hash("\xf0\x9f\x98\x80", nt), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(ppp_nt_hash(bad[i], nt), -EINVAL);
	memset(big, 'x', sizeof(big));
	big[256] = '\0';
	CU_ASSERT_EQUAL(ppp_nt_hash(big, nt), 0);
	big[256] = 'x';
	big[257] = '\0';
	CU_ASSERT_EQUAL(ppp_nt_hash(big, nt), -EINVAL);
}

static void test_chap_md5(void)
{
	/* MD5("abc") and MD5("message digest") of RFC 1321 A.5, taken apart into id, secret, value */
	static const uint8_t abc[16] = {0x90, 0x01, 0x50, 0x98, 0x3c, 0xd2, 0x4f, 0xb0,
	                                0xd6, 0x96, 0x3f, 0x7d, 0x28, 0xe1, 0x7f, 0x72};
	static const uint8_t md[16] = {0xf9, 0x6b, 0x69, 0x7d, 0x7c, 0xb7, 0x93, 0x8d,
	                               0x52, 0x5a, 0x2f, 0x31, 0xaa, 0xf1, 0x61, 0xd0};
	uint8_t bad[16];

	CU_ASSERT_TRUE(
	        ppp_chap_md5_verify('a', (const uint8_t *)"b", 1, (const uint8_t *)"c", 1, abc));
	CU_ASSERT_TRUE(ppp_chap_md5_verify('m', (const uint8_t *)"essage", 6,
	                                   (const uint8_t *)" digest", 7, md));
	CU_ASSERT_TRUE(ppp_chap_md5_verify('m', (const uint8_t *)"essage digest", 13, NULL, 0, md));
	CU_ASSERT_FALSE(
	        ppp_chap_md5_verify('b', (const uint8_t *)"b", 1, (const uint8_t *)"c", 1, abc));
	for (int i = 0; i < 16; i++) {
		memcpy(bad, abc, 16);
		bad[i] ^= 1;
		CU_ASSERT_FALSE(ppp_chap_md5_verify('a', (const uint8_t *)"b", 1,
		                                    (const uint8_t *)"c", 1, bad));
	}
}

void suite_crypto(void)
{
	CU_pSuite s = CU_add_suite("digests", NULL, NULL);

	CU_add_test(s, "MS-CHAPv2 of RFC 2759 9.2", test_mschapv2);
	CU_add_test(s, "NT hash", test_nt_hash);
	CU_add_test(s, "CHAP with MD5", test_chap_md5);
}
