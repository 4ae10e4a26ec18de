/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Headers of data and control messages (RFC 2661 3.1). */
#include "test_msg_util.h"
#include "suite.h"

/* Parses from a heap copy of exactly len bytes. */
static int header(const void *p, size_t len, struct l2tp_hdr *h)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	int rc;

	if (copy == NULL)
		abort();
	if (len > 0)
		memcpy(copy, p, len);
	memset(h, 0xa5, sizeof(*h));
	rc = l2tp_hdr_parse(copy, len, h);
	free(copy);
	return rc;
}

#define HEADER(s, h) header(s, sizeof(s) - 1, h)

static void test_data(void)
{
	struct l2tp_hdr h;

	CU_ASSERT_EQUAL(HEADER("\x00\x02\x12\x34\x56\x78\xff\x03\xc0\x21", &h), 0);
	CU_ASSERT(!h.t && !h.l && !h.s && !h.o && !h.p);
	CU_ASSERT_EQUAL(h.ver, 2);
	CU_ASSERT_EQUAL(h.tunnel_id, 0x1234);
	CU_ASSERT_EQUAL(h.session_id, 0x5678);
	CU_ASSERT_EQUAL(h.length, 10);
	CU_ASSERT_EQUAL(h.hdr_len, 6);
	CU_ASSERT_EQUAL(h.data_len, 4);

	/* All optional fields: length, sequence, offset 3, priority. */
	CU_ASSERT_EQUAL(
	        HEADER("\x4b\x02\x00\x14\x00\x01\x00\x02\x00\x03\x00\x04\x00\x03xyzDATA!", &h), 0);
	CU_ASSERT(!h.t && h.l && h.s && h.o && h.p);
	CU_ASSERT_EQUAL(h.length, 20);
	CU_ASSERT_EQUAL(h.ns, 3);
	CU_ASSERT_EQUAL(h.nr, 4);
	CU_ASSERT_EQUAL(h.hdr_len, 17);
	CU_ASSERT_EQUAL(h.data_len, 3); /* the datagram has one byte in excess */

	/* An offset of nothing, as freeRtr sends it. */
	CU_ASSERT_EQUAL(HEADER("\x02\x02\x00\x01\x00\x02\x00\x00\xff\x03", &h), 0);
	CU_ASSERT_EQUAL(h.hdr_len, 8);
	CU_ASSERT_EQUAL(h.data_len, 2);
}

static void test_version_not_judged(void)
{
	struct l2tp_hdr h;

	CU_ASSERT_EQUAL(HEADER("\x00\x03\x12\x34\x56\x78", &h), 0);
	CU_ASSERT_EQUAL(h.ver, 3);
	CU_ASSERT_EQUAL(h.data_len, 0);
}

/* Each field that a bit announces must be there, whatever else is cut off. */
static void test_truncated(void)
{
	static const uint16_t bits[] = {L2TP_HDR_T, L2TP_HDR_L, L2TP_HDR_S, L2TP_HDR_O};

	for (unsigned set = 0; set < 16; set++) {
		uint8_t p[32] = {0};
		uint16_t flags = L2TP_VERSION;
		size_t need = 6;
		struct l2tp_hdr h;

		for (unsigned i = 0; i < 4; i++)
			flags |= (set >> i & 1) != 0 ? bits[i] : 0;
		need += (flags & L2TP_HDR_L) != 0 ? 2 : 0;
		need += (flags & L2TP_HDR_S) != 0 ? 4 : 0;
		need += (flags & L2TP_HDR_O) != 0 ? 2 : 0;
		l2tp_put16(p, flags);
		if ((flags & L2TP_HDR_L) != 0)
			l2tp_put16(p + 2, (uint16_t)need);
		for (size_t len = 0; len < need; len++)
			CU_ASSERT_EQUAL(header(p, len, &h), -EPROTO);
		CU_ASSERT_EQUAL(header(p, need, &h), 0);
		CU_ASSERT_EQUAL(h.hdr_len, need);
		CU_ASSERT_EQUAL(h.data_len, 0);
	}
}

static void test_contradictions(void)
{
	struct l2tp_hdr h;

	/* Length beyond the datagram. */
	CU_ASSERT_EQUAL(HEADER("\x40\x02\x00\x09\x00\x01\x00\x02", &h), -EPROTO);
	/* Length that does not even hold the header. */
	CU_ASSERT_EQUAL(HEADER("\x40\x02\x00\x07\x00\x01\x00\x02", &h), -EPROTO);
	CU_ASSERT_EQUAL(HEADER("\x40\x02\x00\x00\x00\x01\x00\x02", &h), -EPROTO);
	/* Offset beyond the datagram, without and with a length. */
	CU_ASSERT_EQUAL(HEADER("\x02\x02\x00\x01\x00\x02\x00\x03\xff\x03", &h), -EPROTO);
	CU_ASSERT_EQUAL(HEADER("\x02\x02\x00\x01\x00\x02\xff\xff\xff\x03", &h), -EPROTO);
	CU_ASSERT_EQUAL(HEADER("\x42\x02\x00\x0b\x00\x01\x00\x02\x00\x02\xff\x03", &h), -EPROTO);
	/* An offset that ends where the datagram does leaves no data. */
	CU_ASSERT_EQUAL(HEADER("\x02\x02\x00\x01\x00\x02\x00\x02\xff\x03", &h), 0);
	CU_ASSERT_EQUAL(h.data_len, 0);
}

static void test_oversized(void)
{
	static struct raw r;
	struct l2tp_hdr h;

	memcpy(r.b, "\x00\x02\x00\x01\x00\x02", 6);
	CU_ASSERT_EQUAL(header(r.b, UINT16_MAX, &h), 0);
	CU_ASSERT_EQUAL(h.data_len, UINT16_MAX - 6);
	CU_ASSERT_EQUAL(header(r.b, UINT16_MAX + 1, &h), -EPROTO);
}

/* Control wants T, L and S, neither O nor P, and version 2; reserved bits say nothing. */
static void test_control_bits(void)
{
	static struct raw r;
	static struct l2tp_msg m;
	uint16_t bad;

	for (unsigned flags = 0; flags <= UINT16_MAX; flags++) {
		bool good = (flags & 0xcb0f) == 0xc802;

		raw_begin(&r, L2TP_HELLO);
		raw_end(&r);
		l2tp_put16(r.b, (uint16_t)flags);
		if (l2tp_msg_parse(r.b, r.len, NULL, 0, &m, &bad) !=
		    (good ? L2TP_MSG_OK : L2TP_MSG_BAD_HEADER))
			CU_FAIL("flags");
	}
}

static void test_control_trim(void)
{
	static struct raw r;
	static struct l2tp_msg m;
	uint16_t bad;

	raw_begin(&r, L2TP_HELLO);
	raw_end(&r);
	/* What follows the length is none of the message's. */
	memset(r.b + r.len, 0xff, 100);
	CU_ASSERT_EQUAL(parse_bytes(r.b, r.len + 100, NULL, &m, &bad), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.type, L2TP_HELLO);
	CU_ASSERT_EQUAL(m.n_ignored, 0);
	CU_ASSERT_EQUAL(m.hdr.tunnel_id, 7);
	CU_ASSERT_EQUAL(m.hdr.session_id, 9);
	CU_ASSERT_EQUAL(m.hdr.ns, 3);
	CU_ASSERT_EQUAL(m.hdr.nr, 4);
	CU_ASSERT_EQUAL(parse_bytes(r.b, r.len - 1, NULL, &m, &bad), L2TP_MSG_BAD_HEADER);
}

static void test_zlb(void)
{
	static struct raw r;
	static struct l2tp_msg m;
	uint16_t bad = 99;

	raw_header(&r);
	CU_ASSERT_EQUAL(raw_parse(&r, NULL, &m, &bad), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.type, L2TP_ZLB);
	CU_ASSERT_EQUAL(m.has, 0);
	CU_ASSERT_EQUAL(bad, 0);
	/* Padded by a link layer, it is still one. */
	CU_ASSERT_EQUAL(parse_bytes(r.b, 18, NULL, &m, NULL), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.type, L2TP_ZLB);
	CU_ASSERT_STRING_EQUAL(l2tp_msg_name(m.type), "ZLB");
}

static void test_build_zlb(void)
{
	uint8_t p[12];

	CU_ASSERT_EQUAL(l2tp_build_zlb(p, 0x1122, 0x3344, 0x5566), 12);
	CU_ASSERT_EQUAL(memcmp(p, "\xc8\x02\x00\x0c\x11\x22\x00\x00\x33\x44\x55\x66", 12), 0);
	l2tp_set_seq(p, 0xffff, 0);
	CU_ASSERT_EQUAL(memcmp(p, "\xc8\x02\x00\x0c\x11\x22\x00\x00\xff\xff\x00\x00", 12), 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"data headers", test_data},
	        {"version is not judged", test_version_not_judged},
	        {"truncated", test_truncated},
	        {"contradictory lengths", test_contradictions},
	        {"oversized", test_oversized},
	        {"control bits", test_control_bits},
	        {"excess is trimmed", test_control_trim},
	        {"zlb", test_zlb},
	        {"zlb built", test_build_zlb},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("l2tp header", tests);
}
