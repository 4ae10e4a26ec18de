/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What must hold of every decoded control message, whatever it was decoded from. */
#pragma once

#include "l2tp/avp.h"

#include <stdint.h>

static inline void check_text(const struct l2tp_msg *m, struct l2tp_bytes b)
{
	uint32_t sum = 0;

	if (b.len == 0)
		return;
	if (b.p < m->scratch || b.p + b.len > m->scratch + m->scratch_used)
		__builtin_trap();
	for (uint16_t i = 0; i < b.len; i++)
		sum += b.p[i];
	/* Keeps the reads, which the sanitizer watches. */
	__asm__ volatile("" : : "r"(sum));
}

static inline void check_msg(const struct l2tp_msg *m, enum l2tp_msg_error e, size_t len)
{
	const struct l2tp_avp_def *d;
	uint64_t known = 0;

	if (e == L2TP_MSG_BAD_HEADER) {
		if (m->has != 0)
			__builtin_trap();
		return;
	}
	if ((size_t)m->hdr.hdr_len + m->hdr.data_len > len || m->scratch_used > sizeof(m->scratch))
		__builtin_trap();
	for (size_t n = 0; (d = l2tp_avp_row(n)) != NULL; n++) {
		known |= 1ull << d->type;
		if (d->kind == L2TP_KIND_BYTES && l2tp_msg_has(m, d->type))
			check_text(m, *(const struct l2tp_bytes *)((const uint8_t *)m + d->offset));
	}
	check_text(m, m->error_message);
	check_text(m, m->q931_advisory);
	check_text(m, m->cause_message);
	if ((m->has & ~known) != 0)
		__builtin_trap();
	if (e != L2TP_MSG_OK)
		return;
	if (m->type == L2TP_ZLB && m->hdr.data_len != 0)
		__builtin_trap();
	if ((l2tp_msg_required(m->type) & ~m->has) != 0)
		__builtin_trap();
}
