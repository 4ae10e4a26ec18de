/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Steps of one packet that the ways through the library share. */
#pragma once

#include "esp/esp_int.h"

#define ESP_KEYS_AHEAD 3 /* packets of GCM for which the keys are fetched in time */

/* Schedules and hashed pads stand behind each other to the end of the SA. */
static inline void esp_prefetch_keys(const struct esp_sa *sa)
{
	const uint8_t *p = sa->key, *end = (const uint8_t *)sa + sa->size;

	for (; p < end; p += ESP_CACHE_LINE)
		__builtin_prefetch(p);
}

/* The word of the window that a number is in. */
static inline void esp_prefetch_window(const struct esp_sa *sa, uint64_t seq)
{
	__builtin_prefetch(sa->room + ((uint32_t)seq % ESP_WINDOW_MAX & (sa->window - 1u)) / 8);
}

/* ---- in ---- */

/* Takes as long wherever the first difference is. */
static inline bool esp_same(const uint8_t *a, const uint8_t *b, uint32_t n)
{
	uint32_t diff = 0;

	for (uint32_t i = 0; i < n; i += 4) { /* every ICV is of whole words */
		uint32_t x, y;

		memcpy(&x, a + i, 4);
		memcpy(&y, b + i, 4);
		diff |= x ^ y;
	}
	return diff == 0;
}

/* esp_replay_check and esp_replay_take, with what is usual in front: each number is the next one. */
static inline bool esp_replay_may(const struct esp_sa *sa, uint32_t low, uint64_t *seq)
{
	*seq = low;
	return (!sa->esn && low > sa->seq) || esp_replay_check(sa, low, seq);
}

static inline bool esp_replay_in(struct esp_sa *sa, uint64_t seq, bool *newest)
{
	uint64_t *map = (uint64_t *)(void *)sa->room;
	uint32_t bit;

	if (seq != sa->seq + 1 || sa->window == 0)
		return esp_replay_take(sa, seq, newest);
	bit = (uint32_t)seq & (sa->window - 1u);
	map[bit / 64] |= 1ull << (bit % 64);
	*newest = true;
	__atomic_store_n(&sa->seq, seq, __ATOMIC_RELAXED);
	return true;
}

/* Takes off the trailer behind a text of len bytes that has been deciphered. */
static inline enum esp_status esp_close(struct esp_pkt *p, uint8_t *text, uint32_t len)
{
	const uint8_t *end = text + len - ESP_TRAILER;
	uint32_t pad = end[0], room = len - ESP_TRAILER;
	uint8_t diff = 0;

	if (end[1] == ESP_NH_DUMMY) /* the rest need not be well-formed (RFC 4303 2.6) */
		return ESP_DUMMY;
	if (pad > room)
		return ESP_PAD;
	for (uint32_t i = 0; i < pad; i++)
		diff |= (uint8_t)(end[(int32_t)i - (int32_t)pad] ^ (i + 1));
	if (diff != 0)
		return ESP_PAD;
	p->data = text;
	p->len = (uint16_t)(room - pad);
	p->next_header = end[1];
	return ESP_OK;
}

/* ---- out ---- */

/* Takes the next number. ESP_SHORT: more than a length can say; ESP_SEQ_END: there is none. */
static inline enum esp_status esp_number(struct esp_sa *sa, uint32_t total, uint64_t *seq)
{
	uint64_t last = sa->esn ? UINT64_MAX : UINT32_MAX;

	if (total > UINT16_MAX)
		return ESP_SHORT;
	if (sa->seq >= last)
		return ESP_SEQ_END;
	*seq = sa->seq + 1;
	__atomic_store_n(&sa->seq, *seq, __ATOMIC_RELAXED);
	return ESP_OK;
}

/* SPI and low half of the number. */
static inline void esp_put_header(uint8_t *p, const struct esp_sa *sa, uint64_t seq)
{
	uint64_t v = (uint64_t)__builtin_bswap32((uint32_t)seq) << 32 | sa->spi_be;

	memcpy(p, &v, sizeof(v));
}
