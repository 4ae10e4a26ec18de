/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* A datagram from a stranger, parsed as a control message without a secret. */
#include "l2tp_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct l2tp_msg m;
	uint16_t bad;

	check_msg(&m, l2tp_msg_parse(data, size, NULL, 0, &m, &bad), size);
	return 0;
}
