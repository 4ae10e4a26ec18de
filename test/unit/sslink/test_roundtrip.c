/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "samples.h"

#include <CUnit/Basic.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Both structures started as zeroes, padding included, so they can be compared as bytes. */
static void check_roundtrip(const struct sslink_msg *m)
{
	uint8_t buf[SSLINK_MSG_MAX], again[SSLINK_MSG_MAX];
	struct sslink_msg out;
	size_t n = encoded(m, buf);

	memset(&out, 0xff, sizeof(out));
	CU_ASSERT_EQUAL_FATAL(sslink_decode(buf, n, &out), 0);
	CU_ASSERT_EQUAL(memcmp(m, &out, sizeof(out)), 0);
	CU_ASSERT_EQUAL_FATAL(encoded(&out, again), n);
	CU_ASSERT_EQUAL(memcmp(buf, again, n), 0);
}

static void every_type(void)
{
	struct sslink_msg m;
	unsigned int t;

	for (t = SSLINK_HELLO; t < SSLINK_TYPE_MAX; t++) {
		sample(t, &m);
		check_roundtrip(&m);
	}
}

static void every_type_empty(void)
{
	struct sslink_msg m, full;
	unsigned int t;

	for (t = SSLINK_HELLO; t < SSLINK_TYPE_MAX; t++) {
		sample(t, &full);
		memset(&m, 0, sizeof(m));
		m.type = t;
		m.seq = full.seq;
		if (t == SSLINK_HELLO)
			m.hello.version = SSLINK_VERSION;
		if (t == SSLINK_IKE_REKEY || t == SSLINK_CHILDREN_MIGRATE)
			m.ike_rekey.new_id = 1;
		check_roundtrip(&m);
	}
}

static void longest_fields(void)
{
	struct sslink_msg m;
	struct sslink_ike *i = &m.add_sa.ike;

	sample(SSLINK_ADD_SA, &m);
	memset(i->connection, 'c', sizeof(i->connection) - 1);
	memset(i->remote_id, 'i', sizeof(i->remote_id) - 1);
	memcpy(&i->local, &i->remote, sizeof(i->local));
	memcpy(&m.add_sa.src, &i->remote, sizeof(m.add_sa.src));
	memcpy(&m.add_sa.dst, &i->remote, sizeof(m.add_sa.dst));
	m.add_sa.enc_key_len = m.add_sa.auth_key_len = SSLINK_KEY_MAX;
	memset(m.add_sa.enc_key, 0xff, SSLINK_KEY_MAX);
	memset(m.add_sa.auth_key, 0xfe, SSLINK_KEY_MAX);
	memcpy(&m.add_sa.local_ts, &m.add_sa.remote_ts, sizeof(m.add_sa.local_ts));
	check_roundtrip(&m);
}

/* Each field of its own, so that a field left out of the codec is found. */
static void every_bool_alone(void)
{
	struct sslink_msg m;
	bool *flags[] = {&m.add_sa.inbound, &m.add_sa.resync,      &m.add_sa.encap,
	                 &m.add_sa.esn,     &m.add_sa.tunnel_mode, &m.add_sa.update};
	unsigned int i, k;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		sample(SSLINK_ADD_SA, &m);
		for (k = 0; k < sizeof(flags) / sizeof(flags[0]); k++)
			*flags[k] = k == i;
		check_roundtrip(&m);
	}
}

static void every_enum_value(void)
{
	struct sslink_msg m;
	unsigned int v;

	for (v = 0; v < SSLINK_STATUS_MAX; v++) {
		sample(SSLINK_ANSWER, &m);
		m.answer.status = (uint8_t)v;
		check_roundtrip(&m);
	}
	for (v = SSLINK_AUTH_UNKNOWN; v <= SSLINK_AUTH_EAP; v++) {
		sample(SSLINK_IKE_UP, &m);
		m.ike_up.auth = (uint8_t)v;
		m.ike_up.version = (uint8_t)(1 + v % 2);
		check_roundtrip(&m);
	}
}

/* The wire form is fixed: both ends may be of different builds. */
static void wire_form(void)
{
	static const uint8_t hello[] = {0,    1,    0,    1,    0,    22,   0x11, 0x22,
	                                0x33, 0x01, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66,
	                                0x77, 0x88, 0,    0,    0x12, 0x67};
	static const uint8_t expire[] = {0, 1, 0, 15, 0, 21, 0,   0, 0, 0, 0xc0,
	                                 0, 0, 3, 1,  1, 4,  192, 0, 2, 1};
	uint8_t buf[SSLINK_MSG_MAX];
	struct sslink_msg m;

	sample(SSLINK_HELLO, &m);
	CU_ASSERT_EQUAL_FATAL(encoded(&m, buf), sizeof(hello));
	CU_ASSERT_EQUAL(memcmp(buf, hello, sizeof(hello)), 0);
	sample(SSLINK_EXPIRE, &m);
	CU_ASSERT_EQUAL_FATAL(encoded(&m, buf), sizeof(expire));
	CU_ASSERT_EQUAL(memcmp(buf, expire, sizeof(expire)), 0);
}

static void constant_message(void)
{
	static const struct sslink_msg m = {.type = SSLINK_TERMINATE_IKE,
	                                    .terminate = {.ike_id = 5, .force = true}};
	uint8_t buf[SSLINK_MSG_MAX];

	CU_ASSERT_EQUAL(encoded(&m, buf), 15);
}

static void exact_buffer(void)
{
	uint8_t buf[SSLINK_MSG_MAX], *exact;
	struct sslink_msg m;
	unsigned int t, k;
	size_t n, size;

	for (t = SSLINK_HELLO; t < SSLINK_TYPE_MAX; t++) {
		sample(t, &m);
		n = encoded(&m, buf);
		for (size = 0; size < n; size++) {
			exact = malloc(size + 1);
			CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
			memset(exact, 0xcc, size + 1);
			CU_ASSERT_EQUAL(sslink_encode(&m, exact, size), -EMSGSIZE);
			/* What was written so far may be a key. */
			for (k = 0; k < size; k++)
				CU_ASSERT_EQUAL_FATAL(exact[k], 0);
			CU_ASSERT_EQUAL(exact[size], 0xcc);
			free(exact);
		}
		CU_ASSERT_EQUAL(sslink_encode(&m, buf, n), (int)n);
	}
}

void add_roundtrip_tests(void)
{
	CU_pSuite s = CU_add_suite("sslink round trip", NULL, NULL);

	CU_ADD_TEST(s, every_type);
	CU_ADD_TEST(s, every_type_empty);
	CU_ADD_TEST(s, longest_fields);
	CU_ADD_TEST(s, every_bool_alone);
	CU_ADD_TEST(s, every_enum_value);
	CU_ADD_TEST(s, wire_form);
	CU_ADD_TEST(s, constant_message);
	CU_ADD_TEST(s, exact_buffer);
}
