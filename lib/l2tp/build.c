/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "l2tp/avp.h"
#include "l2tp/hide.h"

#include <string.h>

/* Where the fields of a control header are (3.1). */
#define AT_LENGTH  2
#define AT_TUNNEL  4
#define AT_SESSION 6
#define AT_NS      8
#define AT_NR      10

static void put_header(uint8_t *p, uint16_t tunnel, uint16_t session, uint16_t ns, uint16_t nr)
{
	l2tp_put16(p, L2TP_HDR_T | L2TP_HDR_L | L2TP_HDR_S | L2TP_VERSION);
	l2tp_put16(p + AT_LENGTH, L2TP_HDR_LEN);
	l2tp_put16(p + AT_TUNNEL, tunnel);
	l2tp_put16(p + AT_SESSION, session);
	l2tp_set_seq(p, ns, nr);
}

void l2tp_set_seq(uint8_t *pkt, uint16_t ns, uint16_t nr)
{
	l2tp_put16(pkt + AT_NS, ns);
	l2tp_put16(pkt + AT_NR, nr);
}

size_t l2tp_build_zlb(uint8_t *buf, uint16_t peer_tunnel_id, uint16_t ns, uint16_t nr)
{
	put_header(buf, peer_tunnel_id, 0, ns, nr);
	return L2TP_HDR_LEN;
}

/* Takes room for an AVP of n bytes of value and writes its header; returns where the value goes. */
static uint8_t *reserve(struct l2tp_build *b, const struct l2tp_avp_def *d, size_t n, bool hidden)
{
	size_t whole = L2TP_AVP_HDR + n;
	uint16_t flags = (uint16_t)whole;
	uint8_t *p;

	if (whole > L2TP_AVP_MAX || whole > b->size - b->len) {
		b->overflow = true;
		return NULL;
	}
	if ((d->traits & L2TP_TRAIT_M) != 0)
		flags |= L2TP_AVP_M;
	if (hidden)
		flags |= L2TP_AVP_H;
	p = b->buf + b->len;
	l2tp_put16(p, flags);
	l2tp_put16(p + 2, 0); /* vendor: the IETF */
	l2tp_put16(p + 4, d->type);
	b->len += whole;
	return p + L2TP_AVP_HDR;
}

static void put_hidden(struct l2tp_build *b, const struct l2tp_avp_def *d,
                       const struct l2tp_bytes *v)
{
	struct l2tp_hide_key key = {b->secret, b->secret_len, b->vector, sizeof(b->vector)};
	size_t n = L2TP_HIDE_LEN + (size_t)v->len;
	uint8_t *p = reserve(b, d, n, true);

	if (p == NULL)
		return;
	l2tp_put16(p, v->len);
	if (v->len > 0)
		memcpy(p + L2TP_HIDE_LEN, v->p, v->len);
	if (!l2tp_hide_crypt(true, d->type, &key, p, p, n))
		b->overflow = true;
}

/* Every attribute passes here: the table decides on its bits and on the size of its value. */
static void add(struct l2tp_build *b, uint16_t type, const void *value, size_t len)
{
	const struct l2tp_avp_def *d = l2tp_avp_find(type);
	struct l2tp_bytes v = {value, (uint16_t)len};
	uint8_t *p;

	if (b->overflow)
		return;
	if (d == NULL || len < d->min || len > d->max) {
		b->overflow = true;
		return;
	}
	if (b->hide && (d->traits & L2TP_TRAIT_HIDE) != 0) {
		put_hidden(b, d, &v);
		return;
	}
	p = reserve(b, d, len, false);
	if (p != NULL && len > 0)
		memcpy(p, value, len);
}

void l2tp_build_begin(struct l2tp_build *b, uint8_t *buf, size_t size, uint16_t type,
                      uint16_t peer_tunnel_id, uint16_t peer_session_id)
{
	*b = (struct l2tp_build){.buf = buf, .size = size};
	if (size < L2TP_HDR_LEN) {
		b->overflow = true;
		return;
	}
	put_header(buf, peer_tunnel_id, peer_session_id, 0, 0);
	b->len = L2TP_HDR_LEN;
	l2tp_build_u16(b, L2TP_AVP_MESSAGE_TYPE, type);
}

void l2tp_build_hide(struct l2tp_build *b, const uint8_t *secret, size_t secret_len,
                     const uint8_t vector[16])
{
	/* Without a secret there is nothing to hide with: 4.3 allows the H bit only with one. */
	if (secret_len == 0)
		return;
	b->secret = secret;
	b->secret_len = secret_len;
	memcpy(b->vector, vector, sizeof(b->vector));
	add(b, L2TP_AVP_RANDOM_VECTOR, vector, sizeof(b->vector));
	b->hide = true;
}

void l2tp_build_u16(struct l2tp_build *b, enum l2tp_avp_type type, uint16_t v)
{
	uint8_t p[2];

	l2tp_put16(p, v);
	add(b, type, p, sizeof(p));
}

void l2tp_build_u32(struct l2tp_build *b, enum l2tp_avp_type type, uint32_t v)
{
	uint8_t p[4];

	l2tp_put32(p, v);
	add(b, type, p, sizeof(p));
}

void l2tp_build_u64(struct l2tp_build *b, enum l2tp_avp_type type, uint64_t v)
{
	uint8_t p[8];

	l2tp_put32(p, (uint32_t)(v >> 32));
	l2tp_put32(p + 4, (uint32_t)v);
	add(b, type, p, sizeof(p));
}

void l2tp_build_bytes(struct l2tp_build *b, enum l2tp_avp_type type, const void *p, size_t len)
{
	add(b, type, p, len);
}

void l2tp_build_empty(struct l2tp_build *b, enum l2tp_avp_type type)
{
	add(b, type, NULL, 0);
}

/* A fixed part with a message behind it; message may be NULL. */
static void add_with_text(struct l2tp_build *b, uint16_t type, const uint8_t *fixed, size_t n,
                          const char *message)
{
	uint8_t v[L2TP_AVP_VALUE];
	size_t text = message != NULL ? strnlen(message, sizeof(v)) : 0;

	if (n + text > sizeof(v)) {
		b->overflow = true;
		return;
	}
	memcpy(v, fixed, n);
	if (text > 0)
		memcpy(v + n, message, text);
	add(b, type, v, n + text);
}

void l2tp_build_result(struct l2tp_build *b, uint16_t result, bool has_error, uint16_t error,
                       const char *message)
{
	uint8_t v[4];

	l2tp_put16(v, result);
	l2tp_put16(v + 2, error);
	if (has_error)
		add_with_text(b, L2TP_AVP_RESULT_CODE, v, 4, message);
	else
		add(b, L2TP_AVP_RESULT_CODE, v, 2);
}

void l2tp_build_accm(struct l2tp_build *b, uint32_t send, uint32_t recv)
{
	uint8_t v[10] = {0}; /* two reserved bytes first (4.4.6) */

	l2tp_put32(v + 2, send);
	l2tp_put32(v + 6, recv);
	add(b, L2TP_AVP_ACCM, v, sizeof(v));
}

void l2tp_build_call_errors(struct l2tp_build *b, uint32_t crc, uint32_t framing, uint32_t hardware,
                            uint32_t buffer, uint32_t timeout, uint32_t alignment)
{
	uint8_t v[26] = {0}; /* two reserved bytes first (4.4.6) */

	l2tp_put32(v + 2, crc);
	l2tp_put32(v + 6, framing);
	l2tp_put32(v + 10, hardware);
	l2tp_put32(v + 14, buffer);
	l2tp_put32(v + 18, timeout);
	l2tp_put32(v + 22, alignment);
	add(b, L2TP_AVP_CALL_ERRORS, v, sizeof(v));
}

void l2tp_build_cause(struct l2tp_build *b, uint16_t code, uint16_t proto, uint8_t direction,
                      const char *message)
{
	uint8_t v[5]; /* RFC 3145 2 */

	l2tp_put16(v, code);
	l2tp_put16(v + 2, proto);
	v[4] = direction;
	add_with_text(b, L2TP_AVP_PPP_DISCONNECT_CAUSE, v, sizeof(v), message);
}

size_t l2tp_build_end(struct l2tp_build *b)
{
	explicit_bzero(b->vector, sizeof(b->vector));
	b->secret = NULL;
	b->secret_len = 0;
	b->hide = false;
	if (b->overflow || b->len > L2TP_MSG_MAX)
		return 0;
	l2tp_put16(b->buf + AT_LENGTH, (uint16_t)b->len);
	return b->len;
}
