/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A control message of a peer that knows the secret. The input carries the values of attributes
 * with the H bit in clear (length, value, padding); they are hidden here, for no mutation of a
 * cipher text would ever reach the code behind it.
 */
#include "l2tp/hide.h"
#include "l2tp_check.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t secret[] = "sally's secret";

static void hide_values(uint8_t *p, size_t size)
{
	struct l2tp_hide_key key = {secret, sizeof(secret) - 1, NULL, 0};
	size_t n;

	for (size_t at = L2TP_HDR_LEN; at + L2TP_AVP_HDR <= size; at += n) {
		uint16_t flags = l2tp_get16(p + at), type = l2tp_get16(p + at + 4);
		uint8_t *v = p + at + L2TP_AVP_HDR;

		n = flags & L2TP_AVP_LENGTH;
		if (n < L2TP_AVP_HDR || n > size - at)
			return;
		if ((flags & L2TP_AVP_H) != 0) {
			if (key.vector != NULL)
				l2tp_hide_crypt(true, type, &key, v, v, n - L2TP_AVP_HDR);
		} else if (type == L2TP_AVP_RANDOM_VECTOR && n > L2TP_AVP_HDR) {
			key.vector = v;
			key.vector_len = n - L2TP_AVP_HDR;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct l2tp_msg m;
	uint8_t *p = malloc(size > 0 ? size : 1);
	uint16_t bad;

	if (p == NULL)
		return 0;
	if (size > 0)
		memcpy(p, data, size);
	hide_values(p, size);
	check_msg(&m, l2tp_msg_parse(p, size, secret, sizeof(secret) - 1, &m, &bad), size);
	free(p);
	return 0;
}
