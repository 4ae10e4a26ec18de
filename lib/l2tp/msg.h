/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * L2TPv2 on the wire (RFC 2661 3.1, 4): the header, control messages decoded into a struct by the
 * AVP table, and built from one. Every function takes a pointer and a length and reads nothing
 * beyond it. Integers in structs are in host byte order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define L2TP_PORT    1701
#define L2TP_MSG_MAX 4096 /* the largest control message that we build or accept */
#define L2TP_AVP_MAX 1023 /* an AVP's length field has ten bits (4.1) */

/* Message types (3.2). */
enum l2tp_msg_type {
	L2TP_ZLB = 0, /* not a type on the wire: a header alone */
	L2TP_SCCRQ = 1,
	L2TP_SCCRP = 2,
	L2TP_SCCCN = 3,
	L2TP_STOPCCN = 4,
	L2TP_HELLO = 6,
	L2TP_OCRQ = 7,
	L2TP_OCRP = 8,
	L2TP_OCCN = 9,
	L2TP_ICRQ = 10,
	L2TP_ICRP = 11,
	L2TP_ICCN = 12,
	L2TP_CDN = 14,
	L2TP_WEN = 15,
	L2TP_SLI = 16,
};

const char *l2tp_msg_name(uint16_t type); /* "SCCRQ"; "unknown" */

/* Attribute types of vendor 0 (4.4), and AVP 46 of RFC 3145. */
enum l2tp_avp_type {
	L2TP_AVP_MESSAGE_TYPE = 0,
	L2TP_AVP_RESULT_CODE = 1,
	L2TP_AVP_PROTOCOL_VERSION = 2,
	L2TP_AVP_FRAMING_CAPS = 3,
	L2TP_AVP_BEARER_CAPS = 4,
	L2TP_AVP_TIE_BREAKER = 5,
	L2TP_AVP_FIRMWARE_REVISION = 6,
	L2TP_AVP_HOST_NAME = 7,
	L2TP_AVP_VENDOR_NAME = 8,
	L2TP_AVP_ASSIGNED_TUNNEL_ID = 9,
	L2TP_AVP_RECEIVE_WINDOW_SIZE = 10,
	L2TP_AVP_CHALLENGE = 11,
	L2TP_AVP_Q931_CAUSE = 12,
	L2TP_AVP_CHALLENGE_RESPONSE = 13,
	L2TP_AVP_ASSIGNED_SESSION_ID = 14,
	L2TP_AVP_CALL_SERIAL = 15,
	L2TP_AVP_MIN_BPS = 16,
	L2TP_AVP_MAX_BPS = 17,
	L2TP_AVP_BEARER_TYPE = 18,
	L2TP_AVP_FRAMING_TYPE = 19,
	L2TP_AVP_CALLED_NUMBER = 21,
	L2TP_AVP_CALLING_NUMBER = 22,
	L2TP_AVP_SUB_ADDRESS = 23,
	L2TP_AVP_TX_SPEED = 24,
	L2TP_AVP_PHYSICAL_CHANNEL = 25,
	L2TP_AVP_INITIAL_LCP = 26,
	L2TP_AVP_LAST_TX_LCP = 27,
	L2TP_AVP_LAST_RX_LCP = 28,
	L2TP_AVP_PROXY_AUTH_TYPE = 29,
	L2TP_AVP_PROXY_AUTH_NAME = 30,
	L2TP_AVP_PROXY_AUTH_CHALLENGE = 31,
	L2TP_AVP_PROXY_AUTH_ID = 32,
	L2TP_AVP_PROXY_AUTH_RESPONSE = 33,
	L2TP_AVP_CALL_ERRORS = 34,
	L2TP_AVP_ACCM = 35,
	L2TP_AVP_RANDOM_VECTOR = 36,
	L2TP_AVP_PRIVATE_GROUP = 37,
	L2TP_AVP_RX_SPEED = 38,
	L2TP_AVP_SEQUENCING_REQUIRED = 39,
	L2TP_AVP_PPP_DISCONNECT_CAUSE = 46,
};

struct l2tp_hdr {
	bool t, l, s, o, p; /* the bits of 3.1 */
	uint8_t ver;
	uint16_t length; /* as on the wire when l, else the datagram's */
	uint16_t tunnel_id, session_id;
	uint16_t ns, nr; /* when s */
	uint16_t hdr_len; /* bytes to skip, offset padding included */
	uint16_t data_len; /* bytes after the header, bounded by length and by the datagram */
};

/*
 * Reads a header, data or control. Returns 0, or -EPROTO: too short for its bits, length field
 * beyond the datagram or shorter than the header, offset beyond the end. Does not judge ver.
 */
int l2tp_hdr_parse(const uint8_t *p, size_t len, struct l2tp_hdr *h);

/* A byte string inside a struct l2tp_msg: points into its scratch, not NUL-terminated. */
struct l2tp_bytes {
	const uint8_t *p;
	uint16_t len;
};

/*
 * A decoded control message. has tells which attributes were present and well-formed: bit n stands
 * for attribute type n of vendor 0. An attribute that occurs twice keeps its first value.
 * The byte strings live in scratch, so the struct must not be copied by assignment.
 */
struct l2tp_msg {
	struct l2tp_hdr hdr;
	uint16_t type; /* enum l2tp_msg_type, or what was on the wire */
	bool type_mandatory; /* M bit of the Message Type AVP */
	uint64_t has;

	uint16_t result, error; /* AVP 1 */
	bool has_error;
	struct l2tp_bytes error_message;
	uint8_t version, revision;
	uint32_t framing_caps, bearer_caps;
	uint64_t tie_breaker; /* big-endian value as a number: the lower wins */
	uint16_t firmware;
	struct l2tp_bytes host_name, vendor_name;
	uint16_t assigned_tunnel_id, assigned_session_id;
	uint16_t rws;
	struct l2tp_bytes challenge;
	uint8_t challenge_response[16];
	uint16_t q931_cause;
	uint8_t q931_msg;
	struct l2tp_bytes q931_advisory;
	uint32_t call_serial, min_bps, max_bps, bearer_type, framing_type;
	struct l2tp_bytes called_number, calling_number, sub_address;
	uint32_t tx_speed, rx_speed, physical_channel;
	struct l2tp_bytes initial_lcp, last_tx_lcp, last_rx_lcp;
	uint16_t proxy_auth_type, proxy_auth_id;
	struct l2tp_bytes proxy_auth_name, proxy_auth_challenge, proxy_auth_response;
	struct {
		uint32_t crc, framing, hardware, buffer, timeout, alignment;
	} call_errors;
	uint32_t send_accm, recv_accm;
	struct l2tp_bytes private_group;
	uint16_t cause_code, cause_proto; /* AVP 46 */
	uint8_t cause_direction;
	struct l2tp_bytes cause_message;

	uint16_t n_ignored; /* unknown or malformed optional AVPs that were passed over */
	uint16_t scratch_used;
	uint8_t scratch[L2TP_MSG_MAX];
};

static inline bool l2tp_msg_has(const struct l2tp_msg *m, enum l2tp_avp_type type)
{
	return (m->has >> type & 1) != 0;
}

/* What made a message unacceptable, and the codes with which RFC 2661 4.4.2 wants it answered. */
enum l2tp_msg_error {
	L2TP_MSG_OK,
	L2TP_MSG_BAD_HEADER, /* not a control header: silently discarded */
	L2TP_MSG_BAD_LENGTH, /* AVP lengths do not fit (result 2, error 3) */
	L2TP_MSG_BAD_VALUE, /* a mandatory AVP's value is impossible (2, 3) */
	L2TP_MSG_NO_TYPE, /* first AVP is not Message Type (2, 3) */
	L2TP_MSG_UNKNOWN_TYPE, /* mandatory message of unknown type (2, 8) */
	L2TP_MSG_UNKNOWN_MANDATORY, /* unknown AVP with the M bit, or reserved bits set (2, 8) */
	L2TP_MSG_MISSING, /* an AVP that this message must have is absent (2, 3) */
	L2TP_MSG_NO_SECRET, /* hidden mandatory AVP, but no secret is known (2, 3) */
	L2TP_MSG_NO_VECTOR, /* hidden AVP before any Random Vector (2, 3) */
};

const char *l2tp_msg_error_name(enum l2tp_msg_error e);

/*
 * Decodes a control message. m->hdr, type and the ids that could be read are filled also on errors,
 * so that the answer can be addressed. bad_avp, when not NULL, gets the offending attribute type.
 * The secret (len 0: none) is for hidden AVPs (4.3).
 *
 * A message of unknown type without the M bit is OK and its attributes are not looked at: the owner
 * acknowledges and ignores it. An attribute without the M bit that is unknown, malformed or cannot
 * be revealed counts in n_ignored. Longer values than the attribute needs are read by their first
 * bytes, except for ids and the Challenge Response. An assigned id of 0 is BAD_VALUE, but is let
 * through in StopCCN and CDN, where it says that the sender had assigned none. Error messages,
 * names and numbers are the peer's bytes: not checked for any character set.
 */
enum l2tp_msg_error l2tp_msg_parse(const uint8_t *pkt, size_t len, const uint8_t *secret,
                                   size_t secret_len, struct l2tp_msg *m, uint16_t *bad_avp);

/* A message under construction: call begin, any number of adds, end. Overflow is sticky. */
struct l2tp_build {
	uint8_t *buf;
	size_t size, len;
	bool overflow;
	bool hide; /* hide attributes that may be hidden */
	const uint8_t *secret;
	size_t secret_len;
	uint8_t vector[16]; /* Random Vector, when hide */
};

/* Starts a message of type with a 12-byte header for the peer's ids; Ns and Nr are set later. */
void l2tp_build_begin(struct l2tp_build *b, uint8_t *buf, size_t size, uint16_t type,
                      uint16_t peer_tunnel_id, uint16_t peer_session_id);
/*
 * From here on, hide what the table allows; writes the Random Vector AVP. secret must stay valid
 * until the end. Without a secret (length 0) nothing is hidden.
 */
void l2tp_build_hide(struct l2tp_build *b, const uint8_t *secret, size_t secret_len,
                     const uint8_t vector[16]);
/*
 * Add one attribute; M and H bits come from the table. An attribute that the table does not know,
 * or a size that it does not allow, spoils the message as if it had overflowed.
 */
void l2tp_build_u16(struct l2tp_build *b, enum l2tp_avp_type type, uint16_t v);
void l2tp_build_u32(struct l2tp_build *b, enum l2tp_avp_type type, uint32_t v);
void l2tp_build_u64(struct l2tp_build *b, enum l2tp_avp_type type, uint64_t v);
void l2tp_build_bytes(struct l2tp_build *b, enum l2tp_avp_type type, const void *p, size_t len);
void l2tp_build_empty(struct l2tp_build *b, enum l2tp_avp_type type);
/* Result Code AVP: error and message are left out when has_error is false. */
void l2tp_build_result(struct l2tp_build *b, uint16_t result, bool has_error, uint16_t error,
                       const char *message);
void l2tp_build_accm(struct l2tp_build *b, uint32_t send, uint32_t recv);
/* Call Errors AVP (4.4.6), as a WEN carries it. */
void l2tp_build_call_errors(struct l2tp_build *b, uint32_t crc, uint32_t framing, uint32_t hardware,
                            uint32_t buffer, uint32_t timeout, uint32_t alignment);
void l2tp_build_cause(struct l2tp_build *b, uint16_t code, uint16_t proto, uint8_t direction,
                      const char *message);
/* Sets the length field. Returns the message's length, or 0 when it did not fit. */
size_t l2tp_build_end(struct l2tp_build *b);

/* Writes a header alone (ZLB, 5.8). Returns 12; buf must hold as many. */
size_t l2tp_build_zlb(uint8_t *buf, uint16_t peer_tunnel_id, uint16_t ns, uint16_t nr);
/* Sets Ns and Nr in a finished message (again at each retransmission, 5.8). */
void l2tp_set_seq(uint8_t *pkt, uint16_t ns, uint16_t nr);

/*
 * Challenge Response (4.4.3 as RFC 1994): MD5(type of the message that carries it, secret,
 * challenge).
 */
void l2tp_challenge_response(uint8_t msg_type, const uint8_t *secret, size_t secret_len,
                             const uint8_t *challenge, size_t challenge_len, uint8_t out[16]);
