/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Hidden attribute values (RFC 2661 4.3): a length, the value and padding, xored with a chain of
 * MD5 blocks that starts from the attribute type, the shared secret and a Random Vector.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define L2TP_HIDE_BLOCK 16 /* an MD5 digest */
#define L2TP_HIDE_LEN   2 /* Length of Original Attribute Value, before the value */

struct l2tp_hide_key {
	const uint8_t *secret;
	size_t secret_len;
	const uint8_t *vector;
	size_t vector_len;
};

/*
 * Hides (hide true) or reveals len bytes of the hidden subformat from in to out, which may be the
 * same. False: libcrypto failed, and out is wiped.
 */
bool l2tp_hide_crypt(bool hide, uint16_t attr, const struct l2tp_hide_key *key, const uint8_t *in,
                     uint8_t *out, size_t len);
