/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "test_msg_samples.h"

#include "l2tp/msg.h"

#include <string.h>

#define TEXT(b, type, s) l2tp_build_bytes(b, L2TP_AVP_##type, s, sizeof(s) - 1)

static const uint8_t vector[16] = {0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe,
                                   0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

static void challenge(struct l2tp_build *b)
{
	static const uint8_t c[20] = "a challenge, 20 byte";

	l2tp_build_bytes(b, L2TP_AVP_CHALLENGE, c, sizeof(c));
}

static void response(struct l2tp_build *b, uint8_t type)
{
	uint8_t r[16];

	l2tp_challenge_response(type, (const uint8_t *)SAMPLE_SECRET, strlen(SAMPLE_SECRET),
	                        (const uint8_t *)"challenge", 9, r);
	l2tp_build_bytes(b, L2TP_AVP_CHALLENGE_RESPONSE, r, sizeof(r));
}

/* What SCCRQ and SCCRP have in common. */
static void start(struct l2tp_build *b)
{
	l2tp_build_u16(b, L2TP_AVP_PROTOCOL_VERSION, 0x0100);
	l2tp_build_u32(b, L2TP_AVP_FRAMING_CAPS, 3);
	l2tp_build_u32(b, L2TP_AVP_BEARER_CAPS, 2);
	l2tp_build_u16(b, L2TP_AVP_FIRMWARE_REVISION, 0x0690);
	TEXT(b, HOST_NAME, "lac.example.net");
	TEXT(b, VENDOR_NAME, "Sallyport");
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 0x1234);
	l2tp_build_u16(b, L2TP_AVP_RECEIVE_WINDOW_SIZE, 8);
	challenge(b);
}

static void fill_sccrq(struct l2tp_build *b)
{
	start(b);
	l2tp_build_u64(b, L2TP_AVP_TIE_BREAKER, 0x0123456789abcdefull);
}

static void fill_sccrp(struct l2tp_build *b)
{
	start(b);
	response(b, L2TP_SCCRP);
}

static void fill_scccn(struct l2tp_build *b)
{
	response(b, L2TP_SCCCN);
}

static void fill_stopccn(struct l2tp_build *b)
{
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 0x1234);
	l2tp_build_result(b, 2, true, 7, "try another: 192.0.2.1");
}

static void fill_hello(struct l2tp_build *b)
{
	(void)b;
}

static void fill_ocrq(struct l2tp_build *b)
{
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_SESSION_ID, 0x4321);
	l2tp_build_u32(b, L2TP_AVP_CALL_SERIAL, 77);
	l2tp_build_u32(b, L2TP_AVP_MIN_BPS, 9600);
	l2tp_build_u32(b, L2TP_AVP_MAX_BPS, 64000);
	l2tp_build_u32(b, L2TP_AVP_BEARER_TYPE, 1);
	l2tp_build_u32(b, L2TP_AVP_FRAMING_TYPE, 1);
	TEXT(b, CALLED_NUMBER, "5550100");
	TEXT(b, SUB_ADDRESS, "12");
}

static void fill_ocrp(struct l2tp_build *b)
{
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_SESSION_ID, 0x4321);
	l2tp_build_u32(b, L2TP_AVP_PHYSICAL_CHANNEL, 5);
}

static void fill_occn(struct l2tp_build *b)
{
	l2tp_build_u32(b, L2TP_AVP_TX_SPEED, 1000000000);
	l2tp_build_u32(b, L2TP_AVP_FRAMING_TYPE, 1);
	l2tp_build_u32(b, L2TP_AVP_RX_SPEED, 100000000);
	l2tp_build_empty(b, L2TP_AVP_SEQUENCING_REQUIRED);
}

static void fill_icrq(struct l2tp_build *b)
{
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_SESSION_ID, 0x4321);
	l2tp_build_u32(b, L2TP_AVP_CALL_SERIAL, 78);
	l2tp_build_u32(b, L2TP_AVP_BEARER_TYPE, 2);
	l2tp_build_u32(b, L2TP_AVP_PHYSICAL_CHANNEL, 6);
	TEXT(b, CALLING_NUMBER, "5550199");
	TEXT(b, CALLED_NUMBER, "5550100");
	TEXT(b, SUB_ADDRESS, "34");
}

static void fill_icrp(struct l2tp_build *b)
{
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_SESSION_ID, 0x4322);
}

static void fill_iccn(struct l2tp_build *b)
{
	/* LCP options: MRU 1492, CHAP with MD5, a magic number. */
	static const char lcp[] = "\x01\x04\x05\xd4\x03\x05\xc2\x23\x05\x05\x06\x12\x34\x56\x78";

	l2tp_build_u32(b, L2TP_AVP_TX_SPEED, 100000000);
	l2tp_build_u32(b, L2TP_AVP_FRAMING_TYPE, 1);
	TEXT(b, INITIAL_LCP, lcp);
	TEXT(b, LAST_TX_LCP, lcp);
	TEXT(b, LAST_RX_LCP, lcp);
	l2tp_build_u16(b, L2TP_AVP_PROXY_AUTH_TYPE, 2);
	TEXT(b, PROXY_AUTH_NAME, "alice@example.net");
	TEXT(b, PROXY_AUTH_CHALLENGE, "0123456789abcdef");
	l2tp_build_u16(b, L2TP_AVP_PROXY_AUTH_ID, 0x2a);
	TEXT(b, PROXY_AUTH_RESPONSE, "fedcba9876543210");
	TEXT(b, PRIVATE_GROUP, "retail");
	l2tp_build_u32(b, L2TP_AVP_RX_SPEED, 40000000);
	l2tp_build_empty(b, L2TP_AVP_SEQUENCING_REQUIRED);
}

static void fill_cdn(struct l2tp_build *b)
{
	l2tp_build_result(b, 2, true, 4, "no room");
	l2tp_build_u16(b, L2TP_AVP_ASSIGNED_SESSION_ID, 0x4321);
	TEXT(b, Q931_CAUSE,
	     "\x00\x10\x4d"
	     "normal clearing");
	l2tp_build_cause(b, 15, 0xc223, 2, "wrong password");
}

static void fill_wen(struct l2tp_build *b)
{
	l2tp_build_call_errors(b, 1, 2, 3, 4, 5, 6);
}

static void fill_sli(struct l2tp_build *b)
{
	l2tp_build_accm(b, 0x000a0000, 0xffffffff);
}

static const struct {
	uint16_t type;
	void (*fill)(struct l2tp_build *b);
} samples[] = {
        {L2TP_SCCRQ, fill_sccrq},     {L2TP_SCCRP, fill_sccrp}, {L2TP_SCCCN, fill_scccn},
        {L2TP_STOPCCN, fill_stopccn}, {L2TP_HELLO, fill_hello}, {L2TP_OCRQ, fill_ocrq},
        {L2TP_OCRP, fill_ocrp},       {L2TP_OCCN, fill_occn},   {L2TP_ICRQ, fill_icrq},
        {L2TP_ICRP, fill_icrp},       {L2TP_ICCN, fill_iccn},   {L2TP_CDN, fill_cdn},
        {L2TP_WEN, fill_wen},         {L2TP_SLI, fill_sli},
};

#define N_FILLED (sizeof(samples) / sizeof(samples[0]))

_Static_assert(N_FILLED + 1 == SAMPLE_COUNT, "each type and a ZLB");

uint16_t sample_type(unsigned n)
{
	return n < N_FILLED ? samples[n].type : L2TP_ZLB;
}

size_t sample_build(unsigned n, bool hidden, uint8_t *buf, size_t size)
{
	struct l2tp_build b;

	if (n == N_FILLED)
		return size < 12 ? 0 : l2tp_build_zlb(buf, 7, 5, 6);
	if (n > N_FILLED)
		return 0;
	/* Messages about the tunnel have no session (3.1). */
	l2tp_build_begin(&b, buf, size, samples[n].type, 7, samples[n].type < L2TP_OCRQ ? 0 : 9);
	if (hidden)
		l2tp_build_hide(&b, (const uint8_t *)SAMPLE_SECRET, strlen(SAMPLE_SECRET), vector);
	samples[n].fill(&b);
	if (l2tp_build_end(&b) == 0)
		return 0;
	l2tp_set_seq(buf, (uint16_t)n, 1);
	return b.len;
}
