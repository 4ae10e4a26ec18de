/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "samples.h"

#include <CUnit/Basic.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LINE 2048

static void names(void)
{
	CU_ASSERT_STRING_EQUAL(sslink_type_name(SSLINK_GET_SPI), "get-spi");
	CU_ASSERT_STRING_EQUAL(sslink_type_name(SSLINK_MAPPING), "mapping");
	CU_ASSERT_STRING_EQUAL(sslink_type_name(0), "unknown");
	CU_ASSERT_STRING_EQUAL(sslink_type_name(SSLINK_TYPE_MAX), "unknown");
}

static void every_type_is_one_line(void)
{
	char line[LINE];
	struct sslink_msg m;
	unsigned int t;

	for (t = SSLINK_HELLO; t < SSLINK_TYPE_MAX; t++) {
		sample(t, &m);
		CU_ASSERT_PTR_EQUAL(sslink_describe(&m, line, sizeof(line)), line);
		CU_ASSERT_PTR_NULL(strchr(line, '\n'));
		CU_ASSERT_EQUAL(strncmp(line, sslink_type_name(t), strlen(sslink_type_name(t))), 0);
	}
}

static void says_what_matters(void)
{
	char line[LINE];
	struct sslink_msg m;

	sample(SSLINK_ADD_SA, &m);
	sslink_describe(&m, line, sizeof(line));
	CU_ASSERT_PTR_NOT_NULL(strstr(line, "spi c1020304 in tunnel encap"));
	CU_ASSERT_PTR_NOT_NULL(strstr(line, "src 198.51.100.9:15137 dst 192.0.2.1:4500"));
	CU_ASSERT_PTR_NOT_NULL(strstr(line, "enc 20/288 auth 1024/160"));
	CU_ASSERT_PTR_NOT_NULL(strstr(line, "ike 16909060 v2 auth psk connection 'road-warrior'"));
	CU_ASSERT_PTR_NOT_NULL(strstr(line, "remote [2001:db8::7]:10001"));
	sample(SSLINK_ANSWER, &m);
	sslink_describe(&m, line, sizeof(line));
	CU_ASSERT_STRING_EQUAL(line, "answer seq 287453966 busy spi c0000006 a 1 b 2 "
	                             "c 18446744073709551615");
}

/* The digits of the hex form of bytes k..k+n of a key, in any notation that a line could use. */
static void check_absent(const char *line, const uint8_t *key, size_t len)
{
	char bare[LINE], hex[8], dec[16];
	size_t i, n = 0;

	for (i = 0; line[i] != '\0'; i++) {
		if (isalnum((unsigned char)line[i]))
			bare[n++] = (char)tolower((unsigned char)line[i]);
	}
	bare[n] = '\0';
	for (i = 0; i + 3 <= len; i++) {
		snprintf(hex, sizeof(hex), "%02x%02x%02x", key[i], key[i + 1], key[i + 2]);
		snprintf(dec, sizeof(dec), "%u%u%u", key[i], key[i + 1], key[i + 2]);
		CU_ASSERT_PTR_NULL(strstr(bare, hex));
		CU_ASSERT_PTR_NULL(strstr(bare, dec));
		CU_ASSERT_PTR_NULL(memmem(line, strlen(line), key + i, 3));
	}
}

static void no_key(void)
{
	char line[LINE], other[LINE];
	struct sslink_msg m;

	sample(SSLINK_ADD_SA, &m);
	sslink_describe(&m, line, sizeof(line));
	check_absent(line, m.add_sa.enc_key, m.add_sa.enc_key_len);
	check_absent(line, m.add_sa.auth_key, m.add_sa.auth_key_len);
	/* Nothing of the keys' content has any influence on the line. */
	memset(m.add_sa.enc_key, 0x31, sizeof(m.add_sa.enc_key));
	memset(m.add_sa.auth_key, 0x32, sizeof(m.add_sa.auth_key));
	sslink_describe(&m, other, sizeof(other));
	CU_ASSERT_STRING_EQUAL(line, other);
}

static void short_buffers(void)
{
	char line[LINE], cut[LINE];
	struct sslink_msg m;
	unsigned int t;
	size_t size;

	for (t = SSLINK_HELLO; t < SSLINK_TYPE_MAX; t++) {
		sample(t, &m);
		sslink_describe(&m, line, sizeof(line));
		for (size = 1; size < strlen(line); size++) {
			memset(cut, 'x', sizeof(cut));
			sslink_describe(&m, cut, size);
			CU_ASSERT_EQUAL(strlen(cut), size - 1);
			CU_ASSERT_EQUAL(strncmp(cut, line, size - 1), 0);
			CU_ASSERT_EQUAL(cut[size], 'x');
		}
	}
}

/* Values that cannot be decoded, as a debugger may meet them. */
static void values_out_of_range(void)
{
	char line[LINE];
	struct sslink_msg m;

	memset(&m, 0xff, sizeof(m));
	m.type = SSLINK_ANSWER;
	sslink_describe(&m, line, sizeof(line));
	CU_ASSERT_PTR_NOT_NULL(strstr(line, "answer seq 4294967295 ?"));
	m.type = SSLINK_CHILDREN_MIGRATE;
	sslink_describe(&m, line, sizeof(line));
	m.type = 99;
	CU_ASSERT_STRING_EQUAL(sslink_describe(&m, line, sizeof(line)), "unknown seq 4294967295");
}

static void wipe(void)
{
	uint8_t b[16];
	unsigned int i;

	memset(b, 0xaa, sizeof(b));
	sslink_wipe(b, 15);
	for (i = 0; i < 15; i++)
		CU_ASSERT_EQUAL(b[i], 0);
	CU_ASSERT_EQUAL(b[15], 0xaa);
}

void add_describe_tests(void)
{
	CU_pSuite s = CU_add_suite("sslink describe", NULL, NULL);

	CU_ADD_TEST(s, names);
	CU_ADD_TEST(s, every_type_is_one_line);
	CU_ADD_TEST(s, says_what_matters);
	CU_ADD_TEST(s, no_key);
	CU_ADD_TEST(s, short_buffers);
	CU_ADD_TEST(s, values_out_of_range);
	CU_ADD_TEST(s, wipe);
}
