/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Attributes and messages decoded, and all the ways in which they may be wrong (RFC 2661 4). */
#include "test_msg_samples.h"
#include "test_msg_util.h"
#include "suite.h"

static struct raw r;
static struct l2tp_msg m;
static uint16_t bad;

static uint8_t ones[L2TP_AVP_VALUE];

static enum l2tp_msg_error parse(void)
{
	return raw_parse(&r, NULL, &m, &bad);
}

/* A HELLO, which needs no attribute, with one of the given type and size. */
static enum l2tp_msg_error with_avp(uint16_t flags, uint16_t type, size_t len)
{
	raw_begin(&r, L2TP_HELLO);
	raw_avp(&r, flags, type, ones, len);
	return parse();
}

/* Every attribute: each size from nothing to the largest, with and without the M bit. */
static void test_sizes(void)
{
	const struct l2tp_avp_def *d;

	for (size_t n = 0; (d = l2tp_avp_row(n)) != NULL; n++) {
		if (d->type == L2TP_AVP_MESSAGE_TYPE)
			continue;
		for (size_t len = 0; len <= L2TP_AVP_VALUE; len++) {
			bool good = len >= d->min;

			if ((d->traits & L2TP_TRAIT_EXACT) != 0 && len != d->min)
				good = false;
			if (d->type == L2TP_AVP_RESULT_CODE && len == 3)
				good = false;
			if (with_avp(F_M, d->type, len) !=
			            (good ? L2TP_MSG_OK : L2TP_MSG_BAD_VALUE) ||
			    l2tp_msg_has(&m, d->type) != good || bad != (good ? 0 : d->type))
				CU_FAIL("mandatory");
			if (with_avp(0, d->type, len) != L2TP_MSG_OK ||
			    l2tp_msg_has(&m, d->type) != good || m.n_ignored != !good)
				CU_FAIL("optional");
		}
	}
	CU_PASS("all sizes");
}

/* Every message without each of the attributes that it must have. */
static void test_missing(void)
{
	for (uint16_t type = 1; type <= 20; type++) {
		uint64_t need = l2tp_msg_required(type);

		if (!l2tp_msg_known(type))
			continue;
		for (unsigned without = 0; without < 64; without++) {
			bool lacks = (need >> without & 1) != 0;

			raw_begin(&r, type);
			for (uint16_t t = 0; t < 64; t++)
				if (t != without && (need >> t & 1) != 0)
					raw_avp(&r, F_M, t, ones, l2tp_avp_find(t)->min);
			CU_ASSERT_EQUAL(parse(), lacks ? L2TP_MSG_MISSING : L2TP_MSG_OK);
			CU_ASSERT_EQUAL(bad, lacks ? without : 0);
			CU_ASSERT_EQUAL(m.type, type);
			CU_ASSERT(m.type_mandatory);
		}
	}
}

static void test_avp_lengths(void)
{
	/* Length fields below the AVP's own header, and beyond the message. */
	for (uint16_t len = 0; len <= L2TP_AVP_MAX; len++) {
		raw_begin(&r, L2TP_HELLO);
		raw_avp(&r, F_M, L2TP_AVP_HOST_NAME, ones, 10);
		l2tp_put16(r.b + 20, F_M | len);
		CU_ASSERT_EQUAL(parse() == L2TP_MSG_OK, len == 16);
		if (len < 6 || len > 16) {
			CU_ASSERT_EQUAL(parse(), L2TP_MSG_BAD_LENGTH);
			CU_ASSERT_EQUAL(bad, L2TP_AVP_HOST_NAME);
		}
	}
	/* Rest too short for an AVP. */
	for (size_t extra = 1; extra < 6; extra++) {
		raw_begin(&r, L2TP_HELLO);
		memset(r.b + r.len, 0, extra);
		r.len += extra;
		CU_ASSERT_EQUAL(parse(), L2TP_MSG_BAD_LENGTH);
	}
	/* The Message Type itself. */
	raw_begin(&r, L2TP_HELLO);
	l2tp_put16(r.b + 12, F_M | 9);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_BAD_LENGTH);
	CU_ASSERT_EQUAL(bad, L2TP_AVP_MESSAGE_TYPE);
}

/* Every sample cut at every byte: by the datagram, and with a length field that agrees. */
static void test_truncated_samples(void)
{
	static uint8_t p[L2TP_MSG_MAX];
	unsigned refused = 0;

	for (unsigned n = 0; n < 2 * SAMPLE_COUNT; n++) {
		bool hidden = n >= SAMPLE_COUNT;
		size_t len = sample_build(n % SAMPLE_COUNT, hidden, p, sizeof(p));

		CU_ASSERT_FATAL(len >= 12);
		for (size_t cut = 0; cut < len; cut++) {
			l2tp_put16(p + 2, (uint16_t)len);
			if (parse_bytes(p, cut, SAMPLE_SECRET, &m, &bad) != L2TP_MSG_BAD_HEADER)
				CU_FAIL("datagram cut");
			l2tp_put16(p + 2, (uint16_t)cut);
			if (parse_bytes(p, cut, SAMPLE_SECRET, &m, &bad) != L2TP_MSG_OK)
				refused++;
		}
	}
	CU_ASSERT(refused > 1000);
}

static void test_message_type(void)
{
	/* Not first. */
	raw_header(&r);
	raw_avp(&r, F_M, L2TP_AVP_ASSIGNED_TUNNEL_ID, "\x12\x34", 2);
	raw_avp(&r, F_M, L2TP_AVP_MESSAGE_TYPE, "\x00\x01", 2);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_NO_TYPE);
	CU_ASSERT_EQUAL(bad, L2TP_AVP_ASSIGNED_TUNNEL_ID);
	CU_ASSERT_EQUAL(m.assigned_tunnel_id, 0x1234);
	CU_ASSERT(l2tp_msg_has(&m, L2TP_AVP_ASSIGNED_TUNNEL_ID));
	/* Another vendor's, hidden, with reserved bits. */
	raw_header(&r);
	raw_vendor_avp(&r, F_M, 9, 0, "\x00\x06", 2);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_NO_TYPE);
	raw_header(&r);
	raw_avp(&r, F_M | F_H, 0, "\x00\x06", 2);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_NO_TYPE);
	for (uint16_t bit = 0x0400; bit <= 0x2000; bit = (uint16_t)(bit << 1)) {
		raw_header(&r);
		raw_avp(&r, F_M | bit, 0, "\x00\x06", 2);
		CU_ASSERT_EQUAL(parse(), L2TP_MSG_NO_TYPE);
	}
	/* One byte, three bytes, none. */
	for (size_t len = 0; len <= 3; len++) {
		raw_header(&r);
		raw_avp(&r, F_M, 0, "\x00\x06\x00", len);
		CU_ASSERT_EQUAL(parse(), len == 2 ? L2TP_MSG_OK : L2TP_MSG_BAD_VALUE);
	}
	/* A second one does not change it. */
	raw_begin(&r, L2TP_HELLO);
	raw_avp(&r, F_M, 0, "\x00\x04", 2);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.type, L2TP_HELLO);
}

static void test_unknown_type(void)
{
	static const uint16_t unknown[] = {5, 13, 17, 28, 0x8000, 0xffff};

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		raw_begin(&r, unknown[i]);
		raw_avp(&r, F_M, L2TP_AVP_ASSIGNED_SESSION_ID, "\x00\x05", 2);
		CU_ASSERT_EQUAL(parse(), L2TP_MSG_UNKNOWN_TYPE);
		CU_ASSERT_EQUAL(m.type, unknown[i]);
		CU_ASSERT_EQUAL(m.assigned_session_id, 5);
		/* Without the M bit it is to be ignored, so its attributes are no error. */
		raw_begin(&r, unknown[i]);
		raw_avp(&r, F_M, 97, ones, 12);
		l2tp_put16(r.b + 12, 8);
		CU_ASSERT_EQUAL(parse(), L2TP_MSG_OK);
		CU_ASSERT_EQUAL(m.type, unknown[i]);
		CU_ASSERT(!m.type_mandatory);
	}
	/* Type 0 must not look like a ZLB. */
	raw_begin(&r, 0);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_UNKNOWN_TYPE);
	l2tp_put16(r.b + 12, 8);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_UNKNOWN_TYPE);
}

static void test_unknown_avp(void)
{
	/* Not in the table: 20, 40 and up (RFC 3301's and Windows' among them). */
	static const uint16_t types[] = {20, 40, 45, 47, 63, 64, 76, 98, 0xffff};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		CU_ASSERT_EQUAL(with_avp(0, types[i], 4), L2TP_MSG_OK);
		CU_ASSERT_EQUAL(m.n_ignored, 1);
		CU_ASSERT_EQUAL(m.has, 1);
		CU_ASSERT_EQUAL(with_avp(F_M, types[i], 4), L2TP_MSG_UNKNOWN_MANDATORY);
		CU_ASSERT_EQUAL(bad, types[i]);
		/* Hidden or not, there is nothing to reveal. */
		CU_ASSERT_EQUAL(with_avp(F_H, types[i], 4), L2TP_MSG_OK);
		CU_ASSERT_EQUAL(with_avp(F_H | F_M, types[i], 4), L2TP_MSG_UNKNOWN_MANDATORY);
	}
	/* Another vendor's attribute 2 is not the Protocol Version (xl2tpd issue 163). */
	raw_begin(&r, L2TP_ICRQ);
	raw_avp(&r, F_M, L2TP_AVP_ASSIGNED_SESSION_ID, "\x00\x05", 2);
	raw_avp(&r, F_M, L2TP_AVP_CALL_SERIAL, ones, 4);
	raw_vendor_avp(&r, 0, 3561, 2, "DEU.EXAMPLE", 11);
	raw_vendor_avp(&r, 0, 311, 1, ones, 16); /* what Windows sends */
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.n_ignored, 2);
	CU_ASSERT(!l2tp_msg_has(&m, L2TP_AVP_PROTOCOL_VERSION));
	raw_vendor_avp(&r, F_M, 3561, 2, "x", 1);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_UNKNOWN_MANDATORY);
	CU_ASSERT_EQUAL(bad, 2);
}

static void test_reserved_bits(void)
{
	for (uint16_t bit = 0x0400; bit <= 0x2000; bit = (uint16_t)(bit << 1)) {
		CU_ASSERT_EQUAL(with_avp(bit, L2TP_AVP_HOST_NAME, 4), L2TP_MSG_OK);
		CU_ASSERT(!l2tp_msg_has(&m, L2TP_AVP_HOST_NAME));
		CU_ASSERT_EQUAL(m.n_ignored, 1);
		CU_ASSERT_EQUAL(with_avp(F_M | bit, L2TP_AVP_HOST_NAME, 4),
		                L2TP_MSG_UNKNOWN_MANDATORY);
		CU_ASSERT_EQUAL(bad, L2TP_AVP_HOST_NAME);
	}
}

static void test_zero_ids(void)
{
	static const uint16_t types[] = {L2TP_AVP_ASSIGNED_TUNNEL_ID, L2TP_AVP_ASSIGNED_SESSION_ID,
	                                 L2TP_AVP_RECEIVE_WINDOW_SIZE};

	for (size_t i = 0; i < 3; i++) {
		for (uint16_t flags = 0; flags < 2; flags++) {
			raw_begin(&r, L2TP_HELLO);
			raw_avp(&r, flags == 0 ? 0 : F_M, types[i], "\x00\x00", 2);
			CU_ASSERT_EQUAL(parse(), L2TP_MSG_BAD_VALUE);
			CU_ASSERT_EQUAL(bad, types[i]);
			CU_ASSERT(!l2tp_msg_has(&m, types[i]));
		}
	}
	/* A StopCCN or a CDN of somebody who never assigned an id still ends things. */
	raw_begin(&r, L2TP_STOPCCN);
	raw_avp(&r, F_M, L2TP_AVP_ASSIGNED_TUNNEL_ID, "\x00\x00", 2);
	raw_avp(&r, F_M, L2TP_AVP_RESULT_CODE, "\x00\x04", 2);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_OK);
	raw_begin(&r, L2TP_CDN);
	raw_avp(&r, F_M, L2TP_AVP_RESULT_CODE, "\x00\x04", 2);
	raw_avp(&r, F_M, L2TP_AVP_ASSIGNED_SESSION_ID, "\x00\x00", 2);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.assigned_session_id, 0);
}

static void test_result(void)
{
	/* Code alone: legal, though xl2tpd long refused it (issue 90). */
	raw_begin(&r, L2TP_HELLO);
	raw_avp(&r, F_M, L2TP_AVP_RESULT_CODE, "\x00\x03", 2);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.result, 3);
	CU_ASSERT(!m.has_error);
	raw_begin(&r, L2TP_HELLO);
	raw_avp(&r, F_M, L2TP_AVP_RESULT_CODE, "\x00\x02\x00\x06why", 7);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.result, 2);
	CU_ASSERT(m.has_error);
	CU_ASSERT_EQUAL(m.error, 6);
	CU_ASSERT_EQUAL(m.error_message.len, 3);
	CU_ASSERT_EQUAL(memcmp(m.error_message.p, "why", 3), 0);
	/* In the byte order of Apple's client. */
	raw_begin(&r, L2TP_HELLO);
	raw_avp(&r, F_M, L2TP_AVP_RESULT_CODE, "\x06\x00\x02\x00", 4);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.result, 6);
	CU_ASSERT_EQUAL(m.error, 2);
	CU_ASSERT_EQUAL(m.error_message.len, 0);
}

static void test_excess_of_integers(void)
{
	/* Leading bytes count where no harm can come of it. */
	raw_begin(&r, L2TP_HELLO);
	raw_avp(&r, F_M, L2TP_AVP_TX_SPEED, "\x00\x00\x12\x34\x99\x99\x99\x99", 8);
	raw_avp(&r, F_M, L2TP_AVP_RECEIVE_WINDOW_SIZE, "\x00\x08\x00\x00", 4);
	raw_avp(&r, F_M, L2TP_AVP_ACCM, "\x00\x00\x00\x00\x00\x01\x00\x00\x00\x02\xff", 11);
	raw_avp(&r, F_M, L2TP_AVP_SEQUENCING_REQUIRED, "\x00\x01", 2);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.n_ignored, 0);
	CU_ASSERT_EQUAL(m.tx_speed, 0x1234);
	CU_ASSERT_EQUAL(m.rws, 8);
	CU_ASSERT_EQUAL(m.send_accm, 1);
	CU_ASSERT_EQUAL(m.recv_accm, 2);
	CU_ASSERT(l2tp_msg_has(&m, L2TP_AVP_SEQUENCING_REQUIRED));
}

static void test_duplicates(void)
{
	raw_begin(&r, L2TP_HELLO);
	raw_avp(&r, F_M, L2TP_AVP_ASSIGNED_TUNNEL_ID, "\x00\x01", 2);
	raw_avp(&r, F_M, L2TP_AVP_ASSIGNED_TUNNEL_ID, "\x00\x02", 2);
	raw_avp(&r, F_M, L2TP_AVP_HOST_NAME, "one", 3);
	raw_avp(&r, F_M, L2TP_AVP_HOST_NAME, "two", 3);
	/* A malformed optional one is none, so the next is the first. */
	raw_avp(&r, 0, L2TP_AVP_RX_SPEED, "\x01", 1);
	raw_avp(&r, 0, L2TP_AVP_RX_SPEED, "\x00\x00\x00\x09", 4);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.assigned_tunnel_id, 1);
	CU_ASSERT_EQUAL(m.host_name.len, 3);
	CU_ASSERT_EQUAL(memcmp(m.host_name.p, "one", 3), 0);
	CU_ASSERT_EQUAL(m.rx_speed, 9);
	CU_ASSERT_EQUAL(m.n_ignored, 1);
}

/* After an error the ids are still found; the first error is the one that counts. */
static void test_ids_after_error(void)
{
	raw_begin(&r, L2TP_SCCRQ);
	raw_avp(&r, F_M, 200, "x", 1);
	raw_avp(&r, F_M, L2TP_AVP_FRAMING_CAPS, "\x00", 1);
	raw_avp(&r, F_M, L2TP_AVP_ASSIGNED_TUNNEL_ID, "\xab\xcd", 2);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_UNKNOWN_MANDATORY);
	CU_ASSERT_EQUAL(bad, 200);
	CU_ASSERT_EQUAL(m.type, L2TP_SCCRQ);
	CU_ASSERT_EQUAL(m.assigned_tunnel_id, 0xabcd);
	/* Not past lengths that do not fit: there is no telling where the next one starts. */
	raw_begin(&r, L2TP_SCCRQ);
	raw_avp(&r, F_M, L2TP_AVP_ASSIGNED_TUNNEL_ID, "\xab\xcd", 2);
	raw_avp(&r, F_M, L2TP_AVP_HOST_NAME, "x", 1);
	l2tp_put16(r.b + r.len - 7, F_M | 1000);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_BAD_LENGTH);
	CU_ASSERT_EQUAL(bad, L2TP_AVP_HOST_NAME);
	CU_ASSERT_EQUAL(m.assigned_tunnel_id, 0xabcd);
}

static void test_largest(void)
{
	/* Up to L2TP_MSG_MAX bytes are taken, filled to the last with strings. */
	raw_begin(&r, L2TP_HELLO);
	raw_avp(&r, 0, L2TP_AVP_CALLED_NUMBER, ones, 1017);
	raw_avp(&r, 0, L2TP_AVP_CALLING_NUMBER, ones, 1017);
	raw_avp(&r, 0, L2TP_AVP_SUB_ADDRESS, ones, 1017);
	raw_avp(&r, 0, L2TP_AVP_VENDOR_NAME, ones, L2TP_MSG_MAX - r.len - 6);
	CU_ASSERT_EQUAL(r.len, L2TP_MSG_MAX);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.calling_number.len, 1017);
	CU_ASSERT_EQUAL(m.calling_number.p[1016], 1);
	/* One attribute more is too much. */
	raw_avp(&r, 0, L2TP_AVP_VENDOR_NAME, NULL, 0);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_BAD_LENGTH);
	/* As many attributes as can be. */
	raw_begin(&r, L2TP_HELLO);
	while (r.len + 6 <= L2TP_MSG_MAX)
		raw_avp(&r, 0, 999, NULL, 0);
	CU_ASSERT_EQUAL(parse(), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.n_ignored, (L2TP_MSG_MAX - 20) / 6);
}

static void test_error_names(void)
{
	for (int e = L2TP_MSG_OK; e <= L2TP_MSG_NO_VECTOR; e++)
		CU_ASSERT_STRING_NOT_EQUAL(l2tp_msg_error_name((enum l2tp_msg_error)e), "unknown");
	CU_ASSERT_STRING_EQUAL(l2tp_msg_error_name((enum l2tp_msg_error)99), "unknown");
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"every attribute in every size", test_sizes},
	        {"missing attributes", test_missing},
	        {"avp lengths", test_avp_lengths},
	        {"truncated samples", test_truncated_samples},
	        {"message type", test_message_type},
	        {"unknown message types", test_unknown_type},
	        {"unknown attributes", test_unknown_avp},
	        {"reserved bits", test_reserved_bits},
	        {"zero ids and window", test_zero_ids},
	        {"result code", test_result},
	        {"longer integers", test_excess_of_integers},
	        {"duplicates", test_duplicates},
	        {"ids after an error", test_ids_after_error},
	        {"largest message", test_largest},
	        {"names of errors", test_error_names},
	        CU_TEST_INFO_NULL,
	};

	memset(ones, 1, sizeof(ones));
	return run_suite("l2tp parse", tests);
}
