/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "samples.h"

#include <CUnit/Basic.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LENGTH_AT 4
#define SEQ_AT    6
#define BODY_AT   10

static void set_length(uint8_t *buf, size_t n)
{
	buf[LENGTH_AT] = (uint8_t)(n >> 8);
	buf[LENGTH_AT + 1] = (uint8_t)n;
}

/* From a buffer of just that size, for the sanitizer; what a refusal leaves holds nothing. */
static int decode_exact(const uint8_t *buf, size_t n)
{
	static const struct sslink_msg nothing;
	uint8_t *exact = malloc(n > 0 ? n : 1);
	struct sslink_msg m;
	int r;

	CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
	memcpy(exact, buf, n);
	memset(&m, 0xff, sizeof(m));
	r = sslink_decode(exact, n, &m);
	if (r == -EINVAL)
		CU_ASSERT_EQUAL(memcmp(&m, &nothing, sizeof(m)), 0);
	free(exact);
	return r;
}

static void every_truncation(void)
{
	uint8_t buf[SSLINK_MSG_MAX];
	struct sslink_msg m;
	unsigned int t;
	size_t n, cut;

	for (t = SSLINK_HELLO; t < SSLINK_TYPE_MAX; t++) {
		sample(t, &m);
		n = encoded(&m, buf);
		for (cut = 0; cut < n; cut++) {
			set_length(buf, n);
			CU_ASSERT_EQUAL(decode_exact(buf, cut), -EINVAL);
			set_length(buf, cut);
			CU_ASSERT_EQUAL(decode_exact(buf, cut), -EINVAL);
		}
	}
}

static void every_trailing_byte(void)
{
	uint8_t buf[SSLINK_MSG_MAX + 64];
	struct sslink_msg m;
	unsigned int t;
	size_t n, more;

	for (t = SSLINK_HELLO; t < SSLINK_TYPE_MAX; t++) {
		sample(t, &m);
		memset(buf, 0, sizeof(buf));
		n = encoded(&m, buf);
		for (more = 1; more < 64; more++) {
			set_length(buf, n);
			CU_ASSERT_EQUAL(decode_exact(buf, n + more), -EINVAL);
			set_length(buf, n + more);
			CU_ASSERT_EQUAL(decode_exact(buf, n + more), -EINVAL);
		}
	}
}

static void unknown_types(void)
{
	static const uint16_t types[] = {0, SSLINK_TYPE_MAX, 255, 256, 257, 0xffff};
	uint8_t buf[SSLINK_MSG_MAX];
	struct sslink_msg m;
	size_t i, n;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		sample(SSLINK_FLUSH_SAS, &m);
		n = encoded(&m, buf);
		buf[2] = (uint8_t)(types[i] >> 8);
		buf[3] = (uint8_t)types[i];
		CU_ASSERT_EQUAL(decode_exact(buf, n), -EINVAL);
		m.type = types[i];
		CU_ASSERT_EQUAL(sslink_encode(&m, buf, sizeof(buf)), -EINVAL);
	}
}

static void other_versions(void)
{
	uint8_t buf[SSLINK_MSG_MAX];
	struct sslink_msg m, out;
	size_t n;

	sample(SSLINK_HELLO, &m);
	m.hello.version = SSLINK_VERSION + 0x100;
	n = encoded(&m, buf);
	CU_ASSERT_EQUAL(sslink_decode(buf, n, &out), -EPROTONOSUPPORT);
	CU_ASSERT_EQUAL(out.type, SSLINK_HELLO);
	CU_ASSERT_EQUAL(out.hello.version, SSLINK_VERSION + 0x100);
	CU_ASSERT_EQUAL(out.hello.instance, 0);
	/* The length and body of another version are unknown. */
	CU_ASSERT_EQUAL(sslink_decode(buf, BODY_AT, &out), -EPROTONOSUPPORT);
	CU_ASSERT_EQUAL(sslink_decode(buf, BODY_AT - 1, &out), -EINVAL);
	sample(SSLINK_ANSWER, &m);
	n = encoded(&m, buf);
	buf[1] = 0;
	CU_ASSERT_EQUAL(sslink_decode(buf, n, &out), -EPROTONOSUPPORT);
	CU_ASSERT_EQUAL(out.type, SSLINK_ANSWER);
	buf[3] = 0xee;
	CU_ASSERT_EQUAL(sslink_decode(buf, n, &out), -EPROTONOSUPPORT);
	CU_ASSERT_EQUAL(out.type, 0);
	sample(SSLINK_HELLO, &m);
	m.hello.version = 0;
	CU_ASSERT_EQUAL(sslink_encode(&m, buf, sizeof(buf)), -EINVAL);
}

static void sequence_numbers(void)
{
	uint8_t buf[SSLINK_MSG_MAX];
	struct sslink_msg m;
	unsigned int t;
	size_t n;

	for (t = SSLINK_HELLO; t < SSLINK_TYPE_MAX; t++) {
		sample(t, &m);
		n = encoded(&m, buf);
		if (m.seq != 0) {
			memset(buf + SEQ_AT, 0, 4);
			m.seq = 0;
		} else {
			buf[SEQ_AT] = 1;
			m.seq = 1;
		}
		CU_ASSERT_EQUAL(decode_exact(buf, n), -EINVAL);
		CU_ASSERT_EQUAL(sslink_encode(&m, buf, sizeof(buf)), -EINVAL);
	}
}

/* Sets the first place that differs between the encodings of two messages. */
static void check_byte(const struct sslink_msg *a, const struct sslink_msg *b, uint8_t value)
{
	uint8_t x[SSLINK_MSG_MAX], y[SSLINK_MSG_MAX];
	size_t at = 0, n = encoded(a, x);

	CU_ASSERT_EQUAL_FATAL(encoded(b, y), n);
	while (at < n && x[at] == y[at])
		at++;
	CU_ASSERT_FATAL(at < n);
	CU_ASSERT_EQUAL(decode_exact(x, n), 0);
	x[at] = value;
	CU_ASSERT_EQUAL(decode_exact(x, n), -EINVAL);
}

static void values_on_the_wire(void)
{
	struct sslink_msg a, b;
	bool *flags[] = {&b.add_sa.inbound, &b.add_sa.resync,      &b.add_sa.encap,
	                 &b.add_sa.esn,     &b.add_sa.tunnel_mode, &b.add_sa.update};
	unsigned int i;

	sample(SSLINK_ADD_SA, &a);
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		b = a;
		*flags[i] = !*flags[i];
		check_byte(&a, &b, 2);
		check_byte(&a, &b, 255);
	}
	b = a;
	b.add_sa.ike.auth = SSLINK_AUTH_EAP;
	check_byte(&a, &b, SSLINK_AUTH_EAP + 1);
	b = a;
	b.add_sa.ike.version = 1;
	check_byte(&a, &b, 3);
	check_byte(&a, &b, 0);
	sample(SSLINK_ANSWER, &a);
	b = a;
	b.answer.status = SSLINK_OK;
	check_byte(&a, &b, SSLINK_STATUS_MAX);
	sample(SSLINK_TERMINATE_IKE, &a);
	b = a;
	b.terminate.force = false;
	check_byte(&a, &b, 2);
	sample(SSLINK_EXPIRE, &a);
	b = a;
	b.expire.hard = false;
	check_byte(&a, &b, 0x80);
}

/* An address family of 5, as the only one that is neither absent, nor IPv4, nor IPv6. */
static void address_family_on_the_wire(void)
{
	uint8_t buf[SSLINK_MSG_MAX];
	struct sslink_msg m;
	size_t n;

	sample(SSLINK_DELETE_CHILD, &m);
	n = encoded(&m, buf);
	CU_ASSERT_EQUAL_FATAL(buf[BODY_AT + 5], 4);
	buf[BODY_AT + 5] = 5;
	CU_ASSERT_EQUAL(decode_exact(buf, n), -EINVAL);
	buf[BODY_AT + 5] = 6;
	CU_ASSERT_EQUAL(decode_exact(buf, n), -EINVAL);
	buf[BODY_AT + 5] = 0;
	CU_ASSERT_EQUAL(decode_exact(buf, n), -EINVAL);
}

/* Counts that promise more than there is room for, with and without the bytes. */
static void counts_on_the_wire(void)
{
	uint8_t buf[SSLINK_MSG_MAX] = {0};
	struct sslink_msg m;
	size_t n, at;
	unsigned int count;

	sample(SSLINK_CHILDREN_MIGRATE, &m);
	n = encoded(&m, buf);
	CU_ASSERT_EQUAL_FATAL(buf[BODY_AT + 9], SSLINK_SPIS_MAX);
	for (count = 0; count < 0x10000; count += count < 300 ? 1 : 257) {
		buf[BODY_AT + 8] = (uint8_t)(count >> 8);
		buf[BODY_AT + 9] = (uint8_t)count;
		CU_ASSERT_EQUAL(decode_exact(buf, n), count == SSLINK_SPIS_MAX ? 0 : -EINVAL);
		set_length(buf, sizeof(buf));
		CU_ASSERT_EQUAL(decode_exact(buf, sizeof(buf)), -EINVAL);
		set_length(buf, n);
	}
	sample(SSLINK_IKE_UP, &m);
	n = encoded(&m, buf);
	at = n - strlen(m.ike_up.remote_id) - 2;
	for (count = 0; count < 0x10000; count += count < 300 ? 1 : 257) {
		buf[at] = (uint8_t)(count >> 8);
		buf[at + 1] = (uint8_t)count;
		CU_ASSERT_EQUAL(decode_exact(buf, n),
		                count == strlen(m.ike_up.remote_id) ? 0 : -EINVAL);
	}
}

static void key_lengths(void)
{
	uint8_t buf[SSLINK_MSG_MAX];
	struct sslink_msg m;
	uint16_t *lens[] = {&m.add_sa.enc_key_len, &m.add_sa.auth_key_len};
	unsigned int i;
	size_t n, at;

	for (i = 0; i < 2; i++) {
		sample(SSLINK_ADD_SA, &m);
		*lens[i] = SSLINK_KEY_MAX + 1;
		CU_ASSERT_EQUAL(sslink_encode(&m, buf, sizeof(buf)), -EINVAL);
	}
	sample(SSLINK_ADD_SA, &m);
	m.add_sa.enc_key_len = 0;
	n = encoded(&m, buf);
	for (at = BODY_AT; at < n && memcmp(buf + at, "\x00\x14\x04\x00\x00\x00\x00\x14", 8) != 0;)
		at++;
	CU_ASSERT_FATAL(at < n);
	/* 81 bytes follow in truth: only the limit refuses them. */
	buf[at + 5] = SSLINK_KEY_MAX + 1;
	CU_ASSERT_EQUAL(decode_exact(buf, n), -EINVAL);
}

static void texts(void)
{
	static const char bad[] = {'\n', '\0', 0x1b, 0x7f, 0x01};
	uint8_t buf[SSLINK_MSG_MAX];
	struct sslink_msg m;
	size_t i, n;

	for (i = 0; i < sizeof(bad); i++) {
		sample(SSLINK_IKE_UP, &m);
		n = encoded(&m, buf);
		buf[n - 1] = (uint8_t)bad[i];
		CU_ASSERT_EQUAL(decode_exact(buf, n), -EINVAL);
		if (bad[i] == '\0')
			continue;
		m.ike_up.connection[3] = bad[i];
		CU_ASSERT_EQUAL(sslink_encode(&m, buf, sizeof(buf)), -EINVAL);
	}
	sample(SSLINK_IKE_UP, &m);
	memset(m.ike_up.remote_id, 'x', sizeof(m.ike_up.remote_id)); /* no NUL */
	CU_ASSERT_EQUAL(sslink_encode(&m, buf, sizeof(buf)), -EINVAL);
}

static void check_encode_refused(struct sslink_msg *m)
{
	uint8_t buf[SSLINK_MSG_MAX];
	size_t i;

	memset(buf, 0xcc, sizeof(buf));
	CU_ASSERT_EQUAL(sslink_encode(m, buf, sizeof(buf)), -EINVAL);
	for (i = 0; i < sizeof(buf); i++)
		CU_ASSERT_EQUAL_FATAL(buf[i], 0);
}

static void values_that_are_not_encoded(void)
{
	struct sslink_msg m;

	sample(SSLINK_ADD_SA, &m);
	m.add_sa.src.addr.family = AF_UNIX;
	check_encode_refused(&m);
	sample(SSLINK_ADD_SA, &m);
	m.add_sa.local_ts.port_first = m.add_sa.local_ts.port_last + 1;
	check_encode_refused(&m);
	sample(SSLINK_ADD_SA, &m);
	m.add_sa.local_ts.first = address("192.0.2.3");
	check_encode_refused(&m);
	sample(SSLINK_ADD_SA, &m);
	m.add_sa.remote_ts.last = address("192.0.2.3");
	check_encode_refused(&m);
	sample(SSLINK_GET_SPI, &m);
	m.get_spi.ike.id = 0; /* no IKE_SA, but a version of one */
	check_encode_refused(&m);
	sample(SSLINK_ANSWER, &m);
	m.answer.status = SSLINK_STATUS_MAX;
	check_encode_refused(&m);
	sample(SSLINK_CHILDREN_MIGRATE, &m);
	m.ike_rekey.n_spis = SSLINK_SPIS_MAX + 1;
	check_encode_refused(&m);
	sample(SSLINK_IKE_DOWN, &m);
	m.ike_rekey.new_id = 3;
	check_encode_refused(&m);
	sample(SSLINK_IKE_REKEY, &m);
	m.ike_rekey.new_id = 0;
	check_encode_refused(&m);
	sample(SSLINK_IKE_REKEY, &m);
	m.ike_rekey.n_spis = 1;
	check_encode_refused(&m);
}

/* Any single byte replaced by any value: refused, or one form only. */
static void every_byte_changed(void)
{
	uint8_t buf[SSLINK_MSG_MAX], again[SSLINK_MSG_MAX], was;
	struct sslink_msg m, out;
	unsigned int t, v;
	size_t n, at;
	int r;

	for (t = SSLINK_HELLO; t < SSLINK_TYPE_MAX; t++) {
		sample(t, &m);
		n = encoded(&m, buf);
		for (at = 0; at < n; at++) {
			was = buf[at];
			for (v = 0; v < 256; v++) {
				buf[at] = (uint8_t)v;
				r = sslink_decode(buf, n, &out);
				CU_ASSERT_FATAL(r == 0 || r == -EINVAL || r == -EPROTONOSUPPORT);
				if (r == 0 && (encoded(&out, again) != n || memcmp(buf, again, n)))
					CU_FAIL_FATAL("another form");
			}
			buf[at] = was;
		}
	}
}

void add_refusal_tests(void)
{
	CU_pSuite s = CU_add_suite("sslink refusals", NULL, NULL);

	CU_ADD_TEST(s, every_truncation);
	CU_ADD_TEST(s, every_trailing_byte);
	CU_ADD_TEST(s, unknown_types);
	CU_ADD_TEST(s, other_versions);
	CU_ADD_TEST(s, sequence_numbers);
	CU_ADD_TEST(s, values_on_the_wire);
	CU_ADD_TEST(s, address_family_on_the_wire);
	CU_ADD_TEST(s, counts_on_the_wire);
	CU_ADD_TEST(s, key_lengths);
	CU_ADD_TEST(s, texts);
	CU_ADD_TEST(s, values_that_are_not_encoded);
	CU_ADD_TEST(s, every_byte_changed);
}
