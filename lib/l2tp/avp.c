/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "l2tp/avp.h"

#include <string.h>

#define M     L2TP_TRAIT_M
#define H     L2TP_TRAIT_HIDE
#define ID    L2TP_TRAIT_ID
#define NONZ  L2TP_TRAIT_NONZ
#define EXACT L2TP_TRAIT_EXACT

#define MAX L2TP_AVP_VALUE

#define ROW(type, name, kind, traits, min, max, offset)                                            \
	{                                                                                          \
		L2TP_AVP_##type, name, L2TP_KIND_##kind, traits, min, max, offset                  \
	}
#define FIELD(type, name, kind, traits, min, max, field)                                           \
	ROW(type, name, kind, traits, min, max, offsetof(struct l2tp_msg, field))

/* clang-format off */
static const struct l2tp_avp_def avps[] = {
	/* attribute, name, kind, traits, shortest and longest value, (first) field */
	/* All messages (4.4.1) */
	FIELD(MESSAGE_TYPE, "Message Type", MESSAGE_TYPE, M | EXACT, 2, 2, type),
	ROW(RANDOM_VECTOR, "Random Vector", VECTOR, M, 1, MAX, 0),
	/* Result and error codes (4.4.2) */
	FIELD(RESULT_CODE, "Result Code", RESULT, M, 2, MAX, result),
	/* Control connection management (4.4.3) */
	FIELD(PROTOCOL_VERSION, "Protocol Version", VERSION, M, 2, 2, version),
	FIELD(FRAMING_CAPS, "Framing Capabilities", U32, M | H, 4, 4, framing_caps),
	FIELD(BEARER_CAPS, "Bearer Capabilities", U32, M | H, 4, 4, bearer_caps),
	FIELD(TIE_BREAKER, "Tie Breaker", U64, 0, 8, 8, tie_breaker),
	FIELD(FIRMWARE_REVISION, "Firmware Revision", U16, H, 2, 2, firmware),
	FIELD(HOST_NAME, "Host Name", BYTES, M, 1, MAX, host_name),
	FIELD(VENDOR_NAME, "Vendor Name", BYTES, H, 0, MAX, vendor_name),
	FIELD(ASSIGNED_TUNNEL_ID, "Assigned Tunnel ID", U16, M | H | ID | EXACT, 2, 2,
	      assigned_tunnel_id),
	FIELD(RECEIVE_WINDOW_SIZE, "Receive Window Size", U16, M | NONZ, 2, 2, rws),
	FIELD(CHALLENGE, "Challenge", BYTES, M | H, 1, MAX, challenge),
	FIELD(Q931_CAUSE, "Q.931 Cause Code", Q931, M, 3, MAX, q931_cause),
	FIELD(CHALLENGE_RESPONSE, "Challenge Response", DIGEST, M | H | EXACT, 16, 16,
	      challenge_response),
	/* Call management (4.4.4) */
	FIELD(ASSIGNED_SESSION_ID, "Assigned Session ID", U16, M | H | ID | EXACT, 2, 2,
	      assigned_session_id),
	FIELD(CALL_SERIAL, "Call Serial Number", U32, M | H, 4, 4, call_serial),
	FIELD(MIN_BPS, "Minimum BPS", U32, M | H, 4, 4, min_bps),
	FIELD(MAX_BPS, "Maximum BPS", U32, M | H, 4, 4, max_bps),
	FIELD(BEARER_TYPE, "Bearer Type", U32, M | H, 4, 4, bearer_type),
	FIELD(FRAMING_TYPE, "Framing Type", U32, M | H, 4, 4, framing_type),
	FIELD(CALLED_NUMBER, "Called Number", BYTES, M | H, 0, MAX, called_number),
	FIELD(CALLING_NUMBER, "Calling Number", BYTES, M | H, 0, MAX, calling_number),
	FIELD(SUB_ADDRESS, "Sub-Address", BYTES, M | H, 0, MAX, sub_address),
	FIELD(TX_SPEED, "Tx Connect Speed BPS", U32, M | H, 4, 4, tx_speed),
	FIELD(PHYSICAL_CHANNEL, "Physical Channel ID", U32, H, 4, 4, physical_channel),
	FIELD(PRIVATE_GROUP, "Private Group ID", BYTES, H, 0, MAX, private_group),
	FIELD(RX_SPEED, "Rx Connect Speed BPS", U32, H, 4, 4, rx_speed),
	ROW(SEQUENCING_REQUIRED, "Sequencing Required", EMPTY, M, 0, 0, 0),
	/* Proxy LCP and authentication (4.4.5) */
	FIELD(INITIAL_LCP, "Initial Received LCP CONFREQ", BYTES, H, 0, MAX, initial_lcp),
	FIELD(LAST_TX_LCP, "Last Sent LCP CONFREQ", BYTES, H, 0, MAX, last_tx_lcp),
	FIELD(LAST_RX_LCP, "Last Received LCP CONFREQ", BYTES, H, 0, MAX, last_rx_lcp),
	FIELD(PROXY_AUTH_TYPE, "Proxy Authen Type", U16, H, 2, 2, proxy_auth_type),
	FIELD(PROXY_AUTH_NAME, "Proxy Authen Name", BYTES, H, 0, MAX, proxy_auth_name),
	FIELD(PROXY_AUTH_CHALLENGE, "Proxy Authen Challenge", BYTES, H, 0, MAX,
	      proxy_auth_challenge),
	FIELD(PROXY_AUTH_ID, "Proxy Authen ID", PROXY_ID, H, 2, 2, proxy_auth_id),
	FIELD(PROXY_AUTH_RESPONSE, "Proxy Authen Response", BYTES, H, 0, MAX, proxy_auth_response),
	/* Call status (4.4.6) */
	FIELD(CALL_ERRORS, "Call Errors", CALL_ERRORS, M | H, 26, 26, call_errors),
	FIELD(ACCM, "ACCM", ACCM, M | H, 10, 10, send_accm),
	/* RFC 3145 2 */
	FIELD(PPP_DISCONNECT_CAUSE, "PPP Disconnect Cause Code", CAUSE, H, 5, MAX, cause_code),
};
/* clang-format on */

#define HAS(t) (1ull << L2TP_AVP_##t)

/* What each message must carry beside its Message Type (6). */
static const struct {
	uint16_t type;
	const char *name;
	uint64_t required;
} messages[] = {
        {L2TP_SCCRQ, "SCCRQ",
         HAS(PROTOCOL_VERSION) | HAS(HOST_NAME) | HAS(FRAMING_CAPS) | HAS(ASSIGNED_TUNNEL_ID)},
        {L2TP_SCCRP, "SCCRP",
         HAS(PROTOCOL_VERSION) | HAS(HOST_NAME) | HAS(FRAMING_CAPS) | HAS(ASSIGNED_TUNNEL_ID)},
        {L2TP_SCCCN, "SCCCN", 0},
        {L2TP_STOPCCN, "StopCCN", HAS(ASSIGNED_TUNNEL_ID) | HAS(RESULT_CODE)},
        {L2TP_HELLO, "HELLO", 0},
        {L2TP_OCRQ, "OCRQ",
         HAS(ASSIGNED_SESSION_ID) | HAS(CALL_SERIAL) | HAS(MIN_BPS) | HAS(MAX_BPS) |
                 HAS(BEARER_TYPE) | HAS(FRAMING_TYPE) | HAS(CALLED_NUMBER)},
        {L2TP_OCRP, "OCRP", HAS(ASSIGNED_SESSION_ID)},
        {L2TP_OCCN, "OCCN", HAS(TX_SPEED) | HAS(FRAMING_TYPE)},
        {L2TP_ICRQ, "ICRQ", HAS(ASSIGNED_SESSION_ID) | HAS(CALL_SERIAL)},
        {L2TP_ICRP, "ICRP", HAS(ASSIGNED_SESSION_ID)},
        {L2TP_ICCN, "ICCN", HAS(TX_SPEED) | HAS(FRAMING_TYPE)},
        {L2TP_CDN, "CDN", HAS(RESULT_CODE) | HAS(ASSIGNED_SESSION_ID)},
        {L2TP_WEN, "WEN", HAS(CALL_ERRORS)},
        {L2TP_SLI, "SLI", HAS(ACCM)},
};

#define N_AVPS     (sizeof(avps) / sizeof(avps[0]))
#define N_MESSAGES (sizeof(messages) / sizeof(messages[0]))

const struct l2tp_avp_def *l2tp_avp_row(size_t n)
{
	return n < N_AVPS ? &avps[n] : NULL;
}

const struct l2tp_avp_def *l2tp_avp_find(uint16_t type)
{
	for (size_t i = 0; i < N_AVPS; i++)
		if (avps[i].type == type)
			return &avps[i];
	return NULL;
}

const char *l2tp_avp_name(uint16_t type)
{
	const struct l2tp_avp_def *d = l2tp_avp_find(type);

	return d != NULL ? d->name : "unknown";
}

bool l2tp_msg_known(uint16_t type)
{
	for (size_t i = 0; i < N_MESSAGES; i++)
		if (messages[i].type == type)
			return true;
	return false;
}

uint64_t l2tp_msg_required(uint16_t type)
{
	for (size_t i = 0; i < N_MESSAGES; i++)
		if (messages[i].type == type)
			return messages[i].required;
	return 0;
}

const char *l2tp_msg_name(uint16_t type)
{
	if (type == L2TP_ZLB)
		return "ZLB";
	for (size_t i = 0; i < N_MESSAGES; i++)
		if (messages[i].type == type)
			return messages[i].name;
	return "unknown";
}

static struct l2tp_bytes rest(const uint8_t *v, size_t len, size_t from)
{
	return (struct l2tp_bytes){
	        .p = v + from,
	        .len = (uint16_t)(len - from),
	};
}

/* Apple's client sends these codes in its own byte order; no code of 4.4.2 is above 255. */
static uint16_t code16(const uint8_t *p)
{
	return p[1] == 0 ? p[0] : l2tp_get16(p);
}

static bool store_result(const uint8_t *v, size_t len, struct l2tp_msg *m)
{
	if (len == 3) /* half an error code */
		return false;
	m->result = code16(v);
	m->has_error = len >= 4;
	if (m->has_error) {
		m->error = code16(v + 2);
		m->error_message = rest(v, len, 4);
	}
	return true;
}

static void store_call_errors(const uint8_t *v, struct l2tp_msg *m)
{
	/* Two reserved bytes come first. */
	m->call_errors.crc = l2tp_get32(v + 2);
	m->call_errors.framing = l2tp_get32(v + 6);
	m->call_errors.hardware = l2tp_get32(v + 10);
	m->call_errors.buffer = l2tp_get32(v + 14);
	m->call_errors.timeout = l2tp_get32(v + 18);
	m->call_errors.alignment = l2tp_get32(v + 22);
}

static void store_cause(const uint8_t *v, size_t len, struct l2tp_msg *m)
{
	m->cause_code = l2tp_get16(v);
	m->cause_proto = l2tp_get16(v + 2);
	m->cause_direction = v[4];
	m->cause_message = rest(v, len, 5);
}

static void put_u16(void *field, uint16_t n)
{
	memcpy(field, &n, sizeof(n));
}

static void put_u32(void *field, uint32_t n)
{
	memcpy(field, &n, sizeof(n));
}

static void put_u64(void *field, const uint8_t *v)
{
	uint64_t n = (uint64_t)l2tp_get32(v) << 32 | l2tp_get32(v + 4);

	memcpy(field, &n, sizeof(n));
}

static void put_bytes(void *field, const uint8_t *v, size_t len)
{
	struct l2tp_bytes b = rest(v, len, 0);

	memcpy(field, &b, sizeof(b));
}

bool l2tp_avp_store(const struct l2tp_avp_def *d, const uint8_t *v, size_t len, struct l2tp_msg *m)
{
	void *field = (uint8_t *)m + d->offset;

	if (len < d->min || len > L2TP_AVP_VALUE || ((d->traits & EXACT) != 0 && len != d->min))
		return false;
	switch (d->kind) {
	case L2TP_KIND_U16:
	case L2TP_KIND_MESSAGE_TYPE:
		put_u16(field, l2tp_get16(v));
		break;
	case L2TP_KIND_U32:
		put_u32(field, l2tp_get32(v));
		break;
	case L2TP_KIND_U64:
		put_u64(field, v);
		break;
	case L2TP_KIND_BYTES:
		put_bytes(field, v, len);
		break;
	case L2TP_KIND_DIGEST:
		memcpy(field, v, d->min);
		break;
	case L2TP_KIND_RESULT:
		return store_result(v, len, m);
	case L2TP_KIND_VERSION:
		m->version = v[0];
		m->revision = v[1];
		break;
	case L2TP_KIND_Q931:
		m->q931_cause = l2tp_get16(v);
		m->q931_msg = v[2];
		m->q931_advisory = rest(v, len, 3);
		break;
	case L2TP_KIND_PROXY_ID:
		m->proxy_auth_id = v[1];
		break;
	case L2TP_KIND_CALL_ERRORS:
		store_call_errors(v, m);
		break;
	case L2TP_KIND_ACCM:
		m->send_accm = l2tp_get32(v + 2);
		m->recv_accm = l2tp_get32(v + 6);
		break;
	case L2TP_KIND_CAUSE:
		store_cause(v, len, m);
		break;
	case L2TP_KIND_VECTOR:
	case L2TP_KIND_EMPTY:
		break;
	}
	return true;
}
