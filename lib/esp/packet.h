/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Steps of one packet that the ways through the library share. */
#pragma once

#include "esp/esp_int.h"

#include <smmintrin.h>

/* Schedules and hashed pads stand behind each other to the end of the SA. */
static inline void esp_prefetch_keys(const struct esp_sa *sa)
{
	const uint8_t *p = sa->key, *end = (const uint8_t *)sa + sa->size;

	do {
		esp_prefetch(p);
		p += ESP_CACHE_LINE;
	} while (p < end);
}

#define ESP_TEXT_MOST 512 /* bytes */

/*
 * The lines of p[0] to p[last]; of a long text those in front and the last: the CPU itself brings the others. The first
 * one has been looked at, but with many long texts it has left the nearest cache since.
 */
static inline void esp_prefetch_text(const uint8_t *p, uint16_t last)
{
	const uint16_t most = last < ESP_TEXT_MOST ? last : ESP_TEXT_MOST;

	for (uint32_t at = 0; at < most; at += ESP_CACHE_LINE)
		esp_prefetch(p + at);
	esp_prefetch(p + last);
}

/* ---- in ---- */

/* Takes as long wherever the first difference is. */
static inline bool esp_same(const uint8_t *a, const uint8_t *b, uint32_t n)
{
	uint64_t x[2], y[2], diff;

	memcpy(x, a, 8);
	memcpy(y, b, 8);
	memcpy(x + 1, a + n - 8, 8);
	memcpy(y + 1, b + n - 8, 8);
	diff = (x[0] ^ y[0]) | (x[1] ^ y[1]);
	for (uint32_t i = 8; i + 8 < n;
	     i += 8) { /* what is longer than 16 is of whole words of 8 */
		memcpy(x, a + i, 8);
		memcpy(y, b + i, 8);
		diff |= x[0] ^ y[0];
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
	if (seq != sa->seq + 1)
		return esp_replay_take(sa, seq, newest);
	*newest = true;
	sa->streak++;
	__atomic_store_n(&sa->seq, seq, __ATOMIC_RELAXED);
	return true;
}

/* Whether pad bytes before end are 1, 2, 3 .. (RFC 4303 2.4): more of them than esp_close sees at once. */
static bool esp_pad_good(const uint8_t *end, uint32_t pad)
{
	uint8_t diff = 0;

	for (uint32_t i = 0; i < pad; i++)
		diff |= (uint8_t)(end[(int32_t)i - (int32_t)pad] ^ (i + 1));
	return diff == 0;
}

/* The same of up to 14 bytes, which end a block of 16 with their length and the next header. */
static inline bool esp_pad_block(const uint8_t *block, uint32_t pad)
{
	/* What stands where, from the byte of a block on that has none of 14 behind it. */
	static const int8_t counted[] = {-13, -12, -11, -10, -9, -8, -7, -6, -5, -4,
	                                 -3,  -2,  -1,  0,   1,  2,  3,  4,  5,  6,
	                                 7,   8,   9,   10,  11, 12, 13, 14, 15, 16};
	const __m128i inside = _mm_set_epi64x(0x0000ffffffffffff, -1);
	__m128i want = _mm_loadu_si128((const __m128i *)(const void *)(counted + pad));
	__m128i diff = _mm_xor_si128(want, _mm_loadu_si128((const __m128i *)(const void *)block));
	__m128i padding = _mm_and_si128(inside, _mm_cmpgt_epi8(want, _mm_setzero_si128()));

	return _mm_testz_si128(diff, padding);
}

/* Three fields in one word: length, next header, and that all is well. */
static inline void esp_opened(struct esp_pkt *p, uint16_t len, uint8_t next_header)
{
	const uint32_t word = len | (uint32_t)next_header << 16 | (uint32_t)ESP_OK << 24;

	_Static_assert(offsetof(struct esp_pkt, next_header) == offsetof(struct esp_pkt, len) + 2 &&
	                       offsetof(struct esp_pkt, status) ==
	                               offsetof(struct esp_pkt, len) + 3,
	               "a word");
	memcpy(&p->len, &word, sizeof(word));
}

/* More padding than esp_close sees at once. */
static __attribute__((noinline)) bool esp_pad_long(const uint8_t *text, uint32_t len, uint32_t pad)
{
	if (pad <= 14 && len >= 16)
		return esp_pad_block(text + len - 16, pad);
	return pad <= len - ESP_TRAILER && esp_pad_good(text + len - ESP_TRAILER, pad);
}

/*
 * Takes off the trailer behind a text of len bytes that has been deciphered. Every suite's text is of
 * whole words of 4, with 8 bytes or more of the packet before it: the last 8 of it all have what ends
 * a packet with up to 6 bytes of padding.
 */
static inline enum esp_status esp_close(struct esp_pkt *p, uint8_t *text, uint32_t len)
{
	static const struct {
		uint64_t want, mask;
	} pads[] = {
	        {0, 0},
	        {0x010000000000, 0xff0000000000},
	        {0x020100000000, 0xffff00000000},
	        {0x030201000000, 0xffffff000000},
	        {0x040302010000, 0xffffffff0000},
	        {0x050403020100, 0xffffffffff00},
	        {0x060504030201, 0xffffffffffff},
	};
	uint32_t pad, next_header;
	uint64_t last;
	bool good;

	memcpy(&last, text + len - sizeof(last), sizeof(last));
	next_header = (uint32_t)(last >> 56);
	pad = last >> 48 & 0xff;
	if (next_header == ESP_NH_DUMMY) /* the rest need not be well-formed (RFC 4303 2.6) */
		return ESP_DUMMY;
	if (pad < sizeof(pads) / sizeof(*pads))
		good = ((last ^ pads[pad].want) & pads[pad].mask) == 0 && pad + ESP_TRAILER <= len;
	else
		good = esp_pad_long(text, len, pad);
	if (!good)
		return ESP_PAD;
	p->data = text;
	esp_opened(p, (uint16_t)(len - ESP_TRAILER - pad), (uint8_t)next_header);
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
