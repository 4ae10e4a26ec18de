/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The table of attributes (RFC 2661 4.4, RFC 3145) and of control messages (3.2, 6) from which the
 * decoder, the builder and the tests work. Owners of an engine use l2tp/msg.h instead.
 */
#pragma once

#include "l2tp/msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define L2TP_AVP_HDR   6 /* flags and length, vendor, type (4.1) */
#define L2TP_AVP_VALUE (L2TP_AVP_MAX - L2TP_AVP_HDR) /* 1017: the longest value */
#define L2TP_HDR_LEN   12 /* a control header: always with length, Ns and Nr (3.1) */

/* First word of a header (3.1). */
#define L2TP_HDR_T   0x8000
#define L2TP_HDR_L   0x4000
#define L2TP_HDR_S   0x0800
#define L2TP_HDR_O   0x0200
#define L2TP_HDR_P   0x0100
#define L2TP_HDR_VER 0x000f
#define L2TP_VERSION 2

/* First word of an AVP (4.1). */
#define L2TP_AVP_M        0x8000
#define L2TP_AVP_H        0x4000
#define L2TP_AVP_RESERVED 0x3c00
#define L2TP_AVP_LENGTH   0x03ff

/* How a value is laid out. */
enum l2tp_avp_kind {
	L2TP_KIND_MESSAGE_TYPE, /* two bytes, only as the first attribute */
	L2TP_KIND_VECTOR, /* Random Vector: for the hidden values behind it */
	L2TP_KIND_EMPTY, /* presence is all */
	L2TP_KIND_U16,
	L2TP_KIND_U32,
	L2TP_KIND_U64,
	L2TP_KIND_BYTES,
	L2TP_KIND_DIGEST, /* 16 bytes, copied */
	L2TP_KIND_RESULT,
	L2TP_KIND_VERSION,
	L2TP_KIND_Q931,
	L2TP_KIND_PROXY_ID, /* a reserved byte and the id */
	L2TP_KIND_CALL_ERRORS,
	L2TP_KIND_ACCM,
	L2TP_KIND_CAUSE,
};

/* Traits of an attribute. */
#define L2TP_TRAIT_M     0x01 /* sent with the M bit */
#define L2TP_TRAIT_HIDE  0x02 /* may be hidden */
#define L2TP_TRAIT_ID    0x04 /* zero is no value, except in messages that end things */
#define L2TP_TRAIT_NONZ  0x08 /* zero is no value */
#define L2TP_TRAIT_EXACT 0x10 /* a value longer than min is as wrong as a shorter one */

struct l2tp_avp_def {
	uint16_t type;
	const char *name;
	enum l2tp_avp_kind kind;
	uint8_t traits;
	uint16_t min, max; /* bytes of the value as we send it; received ones may be longer */
	uint16_t offset; /* of the (first) field in struct l2tp_msg; 0 for kinds without one */
};

/* The row of an attribute of vendor 0, NULL when it is not known. */
const struct l2tp_avp_def *l2tp_avp_find(uint16_t type);

/* "Host Name"; "unknown". */
const char *l2tp_avp_name(uint16_t type);

/* The n-th row, NULL past the last: for tests and for listings. */
const struct l2tp_avp_def *l2tp_avp_row(size_t n);

/* The attributes that a message must have, bit n for type n; 0 also for unknown messages. */
uint64_t l2tp_msg_required(uint16_t type);

/* True for the messages of RFC 2661. */
bool l2tp_msg_known(uint16_t type);

/*
 * Stores a value (plain, len bytes at v) in m by its kind; byte strings become pointers to v, which
 * must be in m's scratch. False: the length is impossible for the attribute; m is unchanged.
 */
bool l2tp_avp_store(const struct l2tp_avp_def *d, const uint8_t *v, size_t len, struct l2tp_msg *m);

/* Big-endian numbers on the wire. */
static inline uint16_t l2tp_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t l2tp_get32(const uint8_t *p)
{
	return (uint32_t)l2tp_get16(p) << 16 | l2tp_get16(p + 2);
}

static inline void l2tp_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void l2tp_put32(uint8_t *p, uint32_t v)
{
	l2tp_put16(p, (uint16_t)(v >> 16));
	l2tp_put16(p + 2, (uint16_t)v);
}
