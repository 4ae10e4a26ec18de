/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "l2tp/avp.h"

#include <string.h>

#define M     L2TP_TRAIT_M
#define H     L2TP_TRAIT_HIDE
#define ID    L2TP_TRAIT_ID
#define NONZ  L2TP_TRAIT_NONZ
#define EXACT L2TP_TRAIT_EXACT

#define MAX      L2TP_AVP_VALUE
#define NO_FIELD 0
#define F(f)     offsetof(struct l2tp_msg, f)

/* clang-format off */
static const struct l2tp_avp_def avps[] = {
	/* attribute, name, kind, traits, shortest and longest value, field */
	/* All messages (4.4.1) */
	{ L2TP_AVP_MESSAGE_TYPE, "Message Type", L2TP_KIND_MESSAGE_TYPE, M | EXACT, 2, 2, F(type) },
	{ L2TP_AVP_RANDOM_VECTOR, "Random Vector", L2TP_KIND_VECTOR, M, 1, MAX, NO_FIELD },
	/* Result and error codes (4.4.2) */
	{ L2TP_AVP_RESULT_CODE, "Result Code", L2TP_KIND_RESULT, M, 2, MAX, F(result) },
	/* Control connection management (4.4.3) */
	{ L2TP_AVP_PROTOCOL_VERSION, "Protocol Version", L2TP_KIND_VERSION, M, 2, 2, F(version) },
	{ L2TP_AVP_FRAMING_CAPS, "Framing Capabilities", L2TP_KIND_U32, M | H, 4, 4, F(framing_caps) },
	{ L2TP_AVP_BEARER_CAPS, "Bearer Capabilities", L2TP_KIND_U32, M | H, 4, 4, F(bearer_caps) },
	{ L2TP_AVP_TIE_BREAKER, "Tie Breaker", L2TP_KIND_U64, 0, 8, 8, F(tie_breaker) },
	{ L2TP_AVP_FIRMWARE_REVISION, "Firmware Revision", L2TP_KIND_U16, H, 2, 2, F(firmware) },
	{ L2TP_AVP_HOST_NAME, "Host Name", L2TP_KIND_BYTES, M, 1, MAX, F(host_name) },
	{ L2TP_AVP_VENDOR_NAME, "Vendor Name", L2TP_KIND_BYTES, H, 0, MAX, F(vendor_name) },
	{ L2TP_AVP_ASSIGNED_TUNNEL_ID, "Assigned Tunnel ID", L2TP_KIND_U16, M | H | ID | EXACT, 2, 2,
	  F(assigned_tunnel_id) },
	{ L2TP_AVP_RECEIVE_WINDOW_SIZE, "Receive Window Size", L2TP_KIND_U16, M | NONZ, 2, 2, F(rws) },
	{ L2TP_AVP_CHALLENGE, "Challenge", L2TP_KIND_BYTES, M | H, 1, MAX, F(challenge) },
	{ L2TP_AVP_Q931_CAUSE, "Q.931 Cause Code", L2TP_KIND_Q931, M, 3, MAX, F(q931_cause) },
	{ L2TP_AVP_CHALLENGE_RESPONSE, "Challenge Response", L2TP_KIND_DIGEST, M | H | EXACT, 16, 16,
	  F(challenge_response) },
	/* Call management (4.4.4) */
	{ L2TP_AVP_ASSIGNED_SESSION_ID, "Assigned Session ID", L2TP_KIND_U16, M | H | ID | EXACT, 2, 2,
	  F(assigned_session_id) },
	{ L2TP_AVP_CALL_SERIAL, "Call Serial Number", L2TP_KIND_U32, M | H, 4, 4, F(call_serial) },
	{ L2TP_AVP_MIN_BPS, "Minimum BPS", L2TP_KIND_U32, M | H, 4, 4, F(min_bps) },
	{ L2TP_AVP_MAX_BPS, "Maximum BPS", L2TP_KIND_U32, M | H, 4, 4, F(max_bps) },
	{ L2TP_AVP_BEARER_TYPE, "Bearer Type", L2TP_KIND_U32, M | H, 4, 4, F(bearer_type) },
	{ L2TP_AVP_FRAMING_TYPE, "Framing Type", L2TP_KIND_U32, M | H, 4, 4, F(framing_type) },
	{ L2TP_AVP_CALLED_NUMBER, "Called Number", L2TP_KIND_BYTES, M | H, 0, MAX, F(called_number) },
	{ L2TP_AVP_CALLING_NUMBER, "Calling Number", L2TP_KIND_BYTES, M | H, 0, MAX, F(calling_number) },
	{ L2TP_AVP_SUB_ADDRESS, "Sub-Address", L2TP_KIND_BYTES, M | H, 0, MAX, F(sub_address) },
	{ L2TP_AVP_TX_SPEED, "Tx Connect Speed BPS", L2TP_KIND_U32, M | H, 4, 4, F(tx_speed) },
	{ L2TP_AVP_PHYSICAL_CHANNEL, "Physical Channel ID", L2TP_KIND_U32, H, 4, 4, F(physical_channel) },
	{ L2TP_AVP_PRIVATE_GROUP, "Private Group ID", L2TP_KIND_BYTES, H, 0, MAX, F(private_group) },
	{ L2TP_AVP_RX_SPEED, "Rx Connect Speed BPS", L2TP_KIND_U32, H, 4, 4, F(rx_speed) },
	{ L2TP_AVP_SEQUENCING_REQUIRED, "Sequencing Required", L2TP_KIND_EMPTY, M, 0, 0, NO_FIELD },
	/* Proxy LCP and authentication (4.4.5) */
	{ L2TP_AVP_INITIAL_LCP, "Initial Received LCP CONFREQ", L2TP_KIND_BYTES, H, 0, MAX, F(initial_lcp) },
	{ L2TP_AVP_LAST_TX_LCP, "Last Sent LCP CONFREQ", L2TP_KIND_BYTES, H, 0, MAX, F(last_tx_lcp) },
	{ L2TP_AVP_LAST_RX_LCP, "Last Received LCP CONFREQ", L2TP_KIND_BYTES, H, 0, MAX, F(last_rx_lcp) },
	{ L2TP_AVP_PROXY_AUTH_TYPE, "Proxy Authen Type", L2TP_KIND_U16, H, 2, 2, F(proxy_auth_type) },
	{ L2TP_AVP_PROXY_AUTH_NAME, "Proxy Authen Name", L2TP_KIND_BYTES, H, 0, MAX, F(proxy_auth_name) },
	{ L2TP_AVP_PROXY_AUTH_CHALLENGE, "Proxy Authen Challenge", L2TP_KIND_BYTES, H, 0, MAX,
	  F(proxy_auth_challenge) },
	{ L2TP_AVP_PROXY_AUTH_ID, "Proxy Authen ID", L2TP_KIND_PROXY_ID, H, 2, 2, F(proxy_auth_id) },
	{ L2TP_AVP_PROXY_AUTH_RESPONSE, "Proxy Authen Response", L2TP_KIND_BYTES, H, 0, MAX,
	  F(proxy_auth_response) },
	/* Call status (4.4.6) */
	{ L2TP_AVP_CALL_ERRORS, "Call Errors", L2TP_KIND_CALL_ERRORS, M | H, 26, 26, F(call_errors) },
	{ L2TP_AVP_ACCM, "ACCM", L2TP_KIND_ACCM, M | H, 10, 10, F(send_accm) },
	/* RFC 3145 2 */
	{ L2TP_AVP_PPP_DISCONNECT_CAUSE, "PPP Disconnect Cause Code", L2TP_KIND_CAUSE, H, 5, MAX,
	  F(cause_code) },
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
