/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The attribute table, messages built, and what comes back when they are parsed. */
#include "test_msg_samples.h"
#include "test_msg_util.h"
#include "suite.h"

static struct l2tp_msg m, other;
static uint16_t bad;
static uint8_t buf[L2TP_MSG_MAX + 1024];

/* What RFC 2661 4.4 and RFC 3145 say of each: M bit, may be hidden, length without text. */
static const struct {
	uint16_t type;
	bool m, h;
	uint16_t min;
} rfc[] = {
        {0, true, false, 2},  {1, true, false, 2},  {2, true, false, 2},  {3, true, true, 4},
        {4, true, true, 4},   {5, false, false, 8}, {6, false, true, 2},  {7, true, false, 1},
        {8, false, true, 0},  {9, true, true, 2},   {10, true, false, 2}, {11, true, true, 1},
        {12, true, false, 3}, {13, true, true, 16}, {14, true, true, 2},  {15, true, true, 4},
        {16, true, true, 4},  {17, true, true, 4},  {18, true, true, 4},  {19, true, true, 4},
        {21, true, true, 0},  {22, true, true, 0},  {23, true, true, 0},  {24, true, true, 4},
        {25, false, true, 4}, {26, false, true, 0}, {27, false, true, 0}, {28, false, true, 0},
        {29, false, true, 2}, {30, false, true, 0}, {31, false, true, 0}, {32, false, true, 2},
        {33, false, true, 0}, {34, true, true, 26}, {35, true, true, 10}, {36, true, false, 1},
        {37, false, true, 0}, {38, false, true, 4}, {39, true, false, 0}, {46, false, true, 5},
};

#define N_RFC (sizeof(rfc) / sizeof(rfc[0]))

static void test_table_is_the_rfc(void)
{
	size_t rows = 0;

	while (l2tp_avp_row(rows) != NULL)
		rows++;
	CU_ASSERT_EQUAL(rows, N_RFC);
	for (size_t i = 0; i < N_RFC; i++) {
		const struct l2tp_avp_def *d = l2tp_avp_find(rfc[i].type);

		CU_ASSERT_PTR_NOT_NULL_FATAL(d);
		CU_ASSERT_EQUAL((d->traits & L2TP_TRAIT_M) != 0, rfc[i].m);
		CU_ASSERT_EQUAL((d->traits & L2TP_TRAIT_HIDE) != 0, rfc[i].h);
		CU_ASSERT_EQUAL(d->min, rfc[i].min);
		CU_ASSERT_STRING_EQUAL(l2tp_avp_name(d->type), d->name);
	}
	CU_ASSERT_PTR_NULL(l2tp_avp_find(20));
	CU_ASSERT_STRING_EQUAL(l2tp_avp_name(20), "unknown");
}

/* The size that a kind's field has in the struct; 0 without one. */
static size_t field_size(const struct l2tp_avp_def *d)
{
	switch (d->kind) {
	case L2TP_KIND_VECTOR:
	case L2TP_KIND_EMPTY:
		return 0;
	case L2TP_KIND_VERSION:
		return 2;
	case L2TP_KIND_MESSAGE_TYPE:
	case L2TP_KIND_U16:
	case L2TP_KIND_PROXY_ID:
	case L2TP_KIND_RESULT:
	case L2TP_KIND_Q931:
	case L2TP_KIND_CAUSE:
		return 2;
	case L2TP_KIND_U32:
		return 4;
	case L2TP_KIND_U64:
	case L2TP_KIND_ACCM:
		return 8;
	case L2TP_KIND_BYTES:
		return sizeof(struct l2tp_bytes);
	case L2TP_KIND_DIGEST:
		return 16;
	case L2TP_KIND_CALL_ERRORS:
		return 24;
	}
	return 0;
}

static void test_table_fits_the_struct(void)
{
	static uint8_t owner[offsetof(struct l2tp_msg, scratch)];
	const struct l2tp_avp_def *d;

	for (size_t n = 0; (d = l2tp_avp_row(n)) != NULL; n++) {
		size_t size = field_size(d);

		CU_ASSERT_PTR_EQUAL(l2tp_avp_find(d->type), d); /* no type twice */
		CU_ASSERT(d->type < 64); /* a bit of has */
		CU_ASSERT(d->min <= d->max && d->max <= L2TP_AVP_VALUE);
		CU_ASSERT_EQUAL(size == 0, d->offset == 0);
		if ((d->traits & (L2TP_TRAIT_ID | L2TP_TRAIT_NONZ)) != 0)
			CU_ASSERT_EQUAL(d->kind, L2TP_KIND_U16);
		CU_ASSERT_FATAL(d->offset + size <= sizeof(owner));
		/* No two attributes share a field. */
		for (size_t i = d->offset; i < d->offset + size; i++) {
			CU_ASSERT_EQUAL(owner[i], 0);
			owner[i] = 1;
		}
	}
}

static void test_messages_are_consistent(void)
{
	static const uint16_t types[] = {1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16};
	size_t known = 0;

	for (unsigned t = 0; t <= UINT16_MAX; t++)
		if (l2tp_msg_known((uint16_t)t))
			CU_ASSERT_FATAL(known < 14 && types[known++] == t);
	CU_ASSERT_EQUAL(known, 14);
	for (size_t i = 0; i < known; i++) {
		uint64_t need = l2tp_msg_required(types[i]);

		CU_ASSERT_STRING_NOT_EQUAL(l2tp_msg_name(types[i]), "unknown");
		/* Each is in the table, carries the M bit, and is not the type itself. */
		CU_ASSERT_EQUAL(need & 1, 0);
		for (uint16_t a = 0; a < 64; a++)
			if ((need >> a & 1) != 0) {
				CU_ASSERT_PTR_NOT_NULL_FATAL(l2tp_avp_find(a));
				CU_ASSERT((l2tp_avp_find(a)->traits & L2TP_TRAIT_M) != 0);
			}
	}
	CU_ASSERT_EQUAL(l2tp_msg_required(99), 0);
	CU_ASSERT_STRING_EQUAL(l2tp_msg_name(13), "unknown");
	CU_ASSERT_STRING_EQUAL(l2tp_msg_name(L2TP_STOPCCN), "StopCCN");
}

static void same_text(struct l2tp_bytes a, struct l2tp_bytes b)
{
	CU_ASSERT_EQUAL_FATAL(a.len, b.len);
	if (a.len > 0)
		CU_ASSERT_EQUAL(memcmp(a.p, b.p, a.len), 0);
}

/* Each sample in clear and hidden decodes to the same, and uses all that it should. */
static void test_samples(void)
{
	const struct l2tp_avp_def *d;
	uint64_t seen = 0;

	for (unsigned n = 0; n < SAMPLE_COUNT; n++) {
		size_t len = sample_build(n, false, buf, sizeof(buf));

		CU_ASSERT_FATAL(len >= 12);
		CU_ASSERT_EQUAL(parse_bytes(buf, len, NULL, &m, &bad), L2TP_MSG_OK);
		CU_ASSERT_EQUAL(m.type, sample_type(n));
		CU_ASSERT_EQUAL(m.n_ignored, 0);
		CU_ASSERT_EQUAL(m.hdr.tunnel_id, 7);
		CU_ASSERT_EQUAL(m.hdr.length, len);
		seen |= m.has;
		len = sample_build(n, true, buf, sizeof(buf));
		CU_ASSERT_EQUAL(parse_bytes(buf, len, SAMPLE_SECRET, &other, &bad), L2TP_MSG_OK);
		CU_ASSERT_EQUAL(other.n_ignored, 0);
		CU_ASSERT_EQUAL(m.has, other.has & ~(1ull << L2TP_AVP_RANDOM_VECTOR));
		for (size_t i = 0; (d = l2tp_avp_row(i)) != NULL; i++) {
			uint8_t *a = (uint8_t *)&m + d->offset, *b = (uint8_t *)&other + d->offset;

			if (!l2tp_msg_has(&m, d->type))
				continue;
			if (d->kind == L2TP_KIND_BYTES)
				same_text(*(struct l2tp_bytes *)a, *(struct l2tp_bytes *)b);
			else
				CU_ASSERT_EQUAL(memcmp(a, b, field_size(d)), 0);
		}
		same_text(m.error_message, other.error_message);
		same_text(m.q931_advisory, other.q931_advisory);
		same_text(m.cause_message, other.cause_message);
	}
	seen |= 1ull << L2TP_AVP_RANDOM_VECTOR;
	for (size_t i = 0; i < N_RFC; i++)
		CU_ASSERT((seen >> rfc[i].type & 1) != 0);
	CU_ASSERT_EQUAL(sample_build(SAMPLE_COUNT, false, buf, sizeof(buf)), 0);
}

static void parse_sample(uint16_t type)
{
	for (unsigned n = 0; n < SAMPLE_COUNT; n++)
		if (sample_type(n) == type) {
			size_t len = sample_build(n, true, buf, sizeof(buf));

			CU_ASSERT_EQUAL(parse_bytes(buf, len, SAMPLE_SECRET, &m, &bad),
			                L2TP_MSG_OK);
		}
}

#define IS(field, text)                                                                            \
	same_text(m.field, (struct l2tp_bytes){(const uint8_t *)(text), sizeof(text) - 1})

static void test_values_of_tunnels(void)
{
	parse_sample(L2TP_SCCRQ);
	CU_ASSERT_EQUAL(m.version, 1);
	CU_ASSERT_EQUAL(m.revision, 0);
	CU_ASSERT_EQUAL(m.framing_caps, 3);
	CU_ASSERT_EQUAL(m.bearer_caps, 2);
	CU_ASSERT_EQUAL(m.tie_breaker, 0x0123456789abcdefull);
	CU_ASSERT_EQUAL(m.firmware, 0x0690);
	CU_ASSERT_EQUAL(m.assigned_tunnel_id, 0x1234);
	CU_ASSERT_EQUAL(m.rws, 8);
	IS(host_name, "lac.example.net");
	IS(vendor_name, "Sallyport");
	IS(challenge, "a challenge, 20 byte");
	parse_sample(L2TP_STOPCCN);
	CU_ASSERT_EQUAL(m.result, 2);
	CU_ASSERT(m.has_error);
	CU_ASSERT_EQUAL(m.error, 7);
	IS(error_message, "try another: 192.0.2.1");
}

static void test_values_of_calls(void)
{
	parse_sample(L2TP_OCRQ);
	CU_ASSERT_EQUAL(m.assigned_session_id, 0x4321);
	CU_ASSERT_EQUAL(m.call_serial, 77);
	CU_ASSERT_EQUAL(m.min_bps, 9600);
	CU_ASSERT_EQUAL(m.max_bps, 64000);
	CU_ASSERT_EQUAL(m.bearer_type, 1);
	CU_ASSERT_EQUAL(m.framing_type, 1);
	IS(called_number, "5550100");
	IS(sub_address, "12");
	parse_sample(L2TP_ICRQ);
	CU_ASSERT_EQUAL(m.physical_channel, 6);
	IS(calling_number, "5550199");
	parse_sample(L2TP_ICCN);
	CU_ASSERT_EQUAL(m.tx_speed, 100000000);
	CU_ASSERT_EQUAL(m.rx_speed, 40000000);
	CU_ASSERT_EQUAL(m.proxy_auth_type, 2);
	CU_ASSERT_EQUAL(m.proxy_auth_id, 0x2a);
	IS(proxy_auth_name, "alice@example.net");
	IS(proxy_auth_challenge, "0123456789abcdef");
	IS(proxy_auth_response, "fedcba9876543210");
	IS(private_group, "retail");
	CU_ASSERT(l2tp_msg_has(&m, L2TP_AVP_SEQUENCING_REQUIRED));
	CU_ASSERT_EQUAL(m.initial_lcp.len, 15);
	CU_ASSERT_EQUAL(m.last_tx_lcp.len, 15);
	CU_ASSERT_EQUAL(m.last_rx_lcp.len, 15);
	parse_sample(L2TP_CDN);
	CU_ASSERT_EQUAL(m.q931_cause, 16);
	CU_ASSERT_EQUAL(m.q931_msg, 0x4d);
	IS(q931_advisory, "normal clearing");
	CU_ASSERT_EQUAL(m.cause_code, 15);
	CU_ASSERT_EQUAL(m.cause_proto, 0xc223);
	CU_ASSERT_EQUAL(m.cause_direction, 2);
	IS(cause_message, "wrong password");
	parse_sample(L2TP_WEN);
	CU_ASSERT_EQUAL(m.call_errors.crc, 1);
	CU_ASSERT_EQUAL(m.call_errors.framing, 2);
	CU_ASSERT_EQUAL(m.call_errors.hardware, 3);
	CU_ASSERT_EQUAL(m.call_errors.buffer, 4);
	CU_ASSERT_EQUAL(m.call_errors.timeout, 5);
	CU_ASSERT_EQUAL(m.call_errors.alignment, 6);
	parse_sample(L2TP_SLI);
	CU_ASSERT_EQUAL(m.send_accm, 0x000a0000);
	CU_ASSERT_EQUAL(m.recv_accm, 0xffffffff);
}

/* Whatever is hidden, it is only what may be, and the M bits are the table's. */
static void test_bits_on_the_wire(void)
{
	for (unsigned n = 0; n < SAMPLE_COUNT; n++) {
		size_t len = sample_build(n, true, buf, sizeof(buf));
		bool vector = false;

		for (size_t at = 12; at < len; at += l2tp_get16(buf + at) & 0x3ff) {
			uint16_t flags = l2tp_get16(buf + at), type = l2tp_get16(buf + at + 4);
			const struct l2tp_avp_def *d = l2tp_avp_find(type);

			CU_ASSERT_PTR_NOT_NULL_FATAL(d);
			CU_ASSERT_EQUAL(flags & 0x3c00, 0);
			CU_ASSERT_EQUAL(l2tp_get16(buf + at + 2), 0);
			CU_ASSERT_EQUAL((flags & F_M) != 0, (d->traits & L2TP_TRAIT_M) != 0);
			CU_ASSERT_EQUAL((flags & F_H) != 0, (d->traits & L2TP_TRAIT_HIDE) != 0);
			vector = vector || type == L2TP_AVP_RANDOM_VECTOR;
			CU_ASSERT((flags & F_H) == 0 || vector);
		}
	}
}

/* A sample fits its own size exactly, and no smaller buffer; nothing is written past the end. */
static void test_overflow(void)
{
	for (unsigned n = 0; n < SAMPLE_COUNT; n++) {
		size_t len = sample_build(n, true, buf, sizeof(buf));

		for (size_t size = 0; size <= len; size++) {
			uint8_t *p = malloc(size > 0 ? size : 1);

			CU_ASSERT_PTR_NOT_NULL_FATAL(p);
			if (sample_build(n, true, p, size) != (size == len ? len : 0))
				CU_FAIL("size");
			free(p);
		}
	}
}

static void test_overflow_is_sticky(void)
{
	struct l2tp_build b;
	uint8_t p[40];

	l2tp_build_begin(&b, p, sizeof(p), L2TP_HELLO, 7, 9);
	l2tp_build_bytes(&b, L2TP_AVP_HOST_NAME, "more than fits in", 17);
	CU_ASSERT(b.overflow);
	l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 1); /* would fit */
	CU_ASSERT_EQUAL(b.len, 20);
	CU_ASSERT_EQUAL(l2tp_build_end(&b), 0);
}

static void test_refused_values(void)
{
	static char text[2000];
	struct l2tp_build b;

	memset(text, 'x', sizeof(text) - 1);
	for (size_t len = 1010; len < 1030; len++) {
		l2tp_build_begin(&b, buf, sizeof(buf), L2TP_HELLO, 7, 9);
		l2tp_build_bytes(&b, L2TP_AVP_HOST_NAME, text, len);
		CU_ASSERT_EQUAL(l2tp_build_end(&b), len <= 1017 ? 26 + len : 0);
	}
	/* A size that a 16-bit length would fold into a small one. */
	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_HELLO, 7, 9);
	l2tp_build_bytes(&b, L2TP_AVP_HOST_NAME, text, 65536 + 4);
	CU_ASSERT_EQUAL(l2tp_build_end(&b), 0);
	/* Not what the attribute is made of, and no attribute at all. */
	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_HELLO, 7, 9);
	l2tp_build_u32(&b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 1);
	CU_ASSERT_EQUAL(l2tp_build_end(&b), 0);
	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_HELLO, 7, 9);
	l2tp_build_u16(&b, (enum l2tp_avp_type)20, 1);
	CU_ASSERT_EQUAL(l2tp_build_end(&b), 0);
	/* Messages that are too long for their attribute. */
	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_HELLO, 7, 9);
	l2tp_build_result(&b, 2, true, 6, text);
	CU_ASSERT_EQUAL(l2tp_build_end(&b), 0);
	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_HELLO, 7, 9);
	l2tp_build_cause(&b, 1, 0, 0, text);
	CU_ASSERT_EQUAL(l2tp_build_end(&b), 0);
	/* More in all than we would accept ourselves. */
	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_HELLO, 7, 9);
	for (int i = 0; i < 4; i++)
		l2tp_build_bytes(&b, L2TP_AVP_HOST_NAME, text, 1017);
	CU_ASSERT(!b.overflow);
	CU_ASSERT_EQUAL(l2tp_build_end(&b), 0);
}

static void test_result_forms(void)
{
	struct l2tp_build b;

	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_HELLO, 7, 9);
	l2tp_build_result(&b, 3, false, 9, "not sent");
	CU_ASSERT_EQUAL(l2tp_build_end(&b), 28);
	CU_ASSERT_EQUAL(memcmp(buf + 20, "\x80\x08\x00\x00\x00\x01\x00\x03", 8), 0);
	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_HELLO, 7, 9);
	l2tp_build_result(&b, 2, true, 6, NULL);
	CU_ASSERT_EQUAL(l2tp_build_end(&b), 30);
	CU_ASSERT_EQUAL(memcmp(buf + 20, "\x80\x0a\x00\x00\x00\x01\x00\x02\x00\x06", 10), 0);
	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_HELLO, 7, 9);
	l2tp_build_cause(&b, 1, 2, 3, NULL);
	CU_ASSERT_EQUAL(l2tp_build_end(&b), 31);
	CU_ASSERT_EQUAL(memcmp(buf + 20, "\x00\x0b\x00\x00\x00\x2e\x00\x01\x00\x02\x03", 11), 0);
}

static void test_sequence(void)
{
	size_t len = sample_build(0, false, buf, sizeof(buf));

	l2tp_set_seq(buf, 0xfffe, 0x8001);
	CU_ASSERT_EQUAL(parse_bytes(buf, len, NULL, &m, &bad), L2TP_MSG_OK);
	CU_ASSERT_EQUAL(m.hdr.ns, 0xfffe);
	CU_ASSERT_EQUAL(m.hdr.nr, 0x8001);
	CU_ASSERT_EQUAL(m.hdr.session_id, 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"table is the RFC's", test_table_is_the_rfc},
	        {"table fits the struct", test_table_fits_the_struct},
	        {"messages are consistent", test_messages_are_consistent},
	        {"samples there and back", test_samples},
	        {"values of tunnel messages", test_values_of_tunnels},
	        {"values of call messages", test_values_of_calls},
	        {"bits on the wire", test_bits_on_the_wire},
	        {"overflow", test_overflow},
	        {"overflow is sticky", test_overflow_is_sticky},
	        {"refused values", test_refused_values},
	        {"forms of results", test_result_forms},
	        {"sequence numbers", test_sequence},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("l2tp build", tests);
}
