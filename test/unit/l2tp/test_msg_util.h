/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Control messages written byte by byte, without the builder under test, and a parse that runs on a
 * heap copy of exactly the datagram's size, so that a sanitizer sees a read of one byte too many.
 */
#pragma once

#include "l2tp/avp.h"
#include "l2tp/hide.h"
#include "l2tp/msg.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define F_M 0x8000
#define F_H 0x4000

struct raw {
	uint8_t b[70000];
	size_t len;
};

static inline void raw_u16(struct raw *r, uint16_t v)
{
	r->b[r->len++] = (uint8_t)(v >> 8);
	r->b[r->len++] = (uint8_t)v;
}

/* An AVP whose length field is right for len bytes of value, unless flags carry more bits. */
static inline void raw_vendor_avp(struct raw *r, uint16_t flags, uint16_t vendor, uint16_t type,
                                  const void *v, size_t len)
{
	raw_u16(r, (uint16_t)(flags | (len + 6)));
	raw_u16(r, vendor);
	raw_u16(r, type);
	if (len > 0)
		memcpy(r->b + r->len, v, len);
	r->len += len;
}

static inline void raw_avp(struct raw *r, uint16_t flags, uint16_t type, const void *v, size_t len)
{
	raw_vendor_avp(r, flags, 0, type, v, len);
}

static inline void raw_header(struct raw *r)
{
	r->len = 0;
	raw_u16(r, 0xc802);
	raw_u16(r, 12);
	raw_u16(r, 7); /* tunnel */
	raw_u16(r, 9); /* session */
	raw_u16(r, 3); /* Ns */
	raw_u16(r, 4); /* Nr */
}

static inline void raw_begin(struct raw *r, uint16_t type)
{
	uint8_t v[2] = {(uint8_t)(type >> 8), (uint8_t)type};

	raw_header(r);
	raw_avp(r, F_M, 0, v, 2);
}

static inline void raw_end(struct raw *r)
{
	r->b[2] = (uint8_t)(r->len >> 8);
	r->b[3] = (uint8_t)r->len;
}

static inline enum l2tp_msg_error parse_bytes(const uint8_t *p, size_t len, const char *secret,
                                              struct l2tp_msg *m, uint16_t *bad)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	enum l2tp_msg_error e;

	if (copy == NULL)
		abort();
	if (len > 0)
		memcpy(copy, p, len);
	memset(m, 0xa5, sizeof(*m));
	e = l2tp_msg_parse(copy, len, (const uint8_t *)secret, secret != NULL ? strlen(secret) : 0,
	                   m, bad);
	free(copy);
	return e;
}

static inline enum l2tp_msg_error raw_parse(struct raw *r, const char *secret, struct l2tp_msg *m,
                                            uint16_t *bad)
{
	raw_end(r);
	return parse_bytes(r->b, r->len, secret, m, bad);
}
