/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Anti-replay (RFC 4303 3.4.3, appendix A). The window is a ring of bits, one for each of the last
 * sa->window numbers, indexed by the number modulo the window: nothing is shifted, only the bits of
 * the numbers that were skipped are cleared. The last sa->streak of them are known without their bits,
 * which are written when a number has been skipped: most packets need not touch the ring at all.
 */
#include "esp/esp_int.h"

/* Without a window an ESN still has to be inferred: this far behind is late, farther is a wrap. */
#define NO_WINDOW_SPAN (1u << 30)

static uint64_t *map_of(struct esp_sa *sa)
{
	return (uint64_t *)(void *)sa->room + sa->map;
}

/* Of the window. */
static bool seen(const struct esp_sa *sa, uint64_t seq)
{
	const uint64_t *map = (const uint64_t *)(const void *)sa->room + sa->map;
	uint32_t bit = (uint32_t)seq & (sa->window - 1u);

	return sa->seq - seq < sa->streak || (map[bit / 64] >> (bit % 64) & 1) != 0;
}

/* Appendix A2.2; false: the number would lie before the first one. */
static bool infer(const struct esp_sa *sa, uint32_t low, uint64_t *seq)
{
	uint32_t span = sa->window > 0 ? sa->window : NO_WINDOW_SPAN;
	uint32_t tl = (uint32_t)sa->seq, bottom = tl - span + 1; /* modulo 2^32 */
	uint64_t high = sa->seq >> 32;

	if (tl >= span - 1) { /* case A: the window lies in one subspace */
		if (low < bottom)
			high++;
		/* Past 2^64 - 1 no number follows. */
		if (high > UINT32_MAX)
			return false;
	} else if (low >= bottom) { /* case B: it spans two; this is the older one */
		if (high == 0)
			return false;
		high--;
	}
	*seq = high << 32 | low;
	return true;
}

static bool fresh(const struct esp_sa *sa, uint64_t seq)
{
	if (sa->window == 0)
		return true;
	if (seq > sa->seq)
		return true;
	return seq > 0 && sa->seq - seq < sa->window && !seen(sa, seq);
}

bool esp_replay_check(const struct esp_sa *sa, uint32_t low, uint64_t *seq)
{
	*seq = low;
	if (sa->esn && (!infer(sa, low, seq) || *seq == 0))
		return false;
	return fresh(sa, *seq);
}

/* Writes the bits of n numbers, at most a window of them. */
static void put(struct esp_sa *sa, uint64_t from, uint64_t n, bool is_seen)
{
	uint64_t *map = map_of(sa);

	while (n > 0) {
		uint32_t bit = (uint32_t)from & (sa->window - 1u), off = bit % 64;
		uint32_t k = sa->window - bit < 64 - off ? sa->window - bit : 64 - off;
		uint64_t mask;

		if (k > n)
			k = (uint32_t)n;
		mask = (k < 64 ? (1ull << k) - 1 : ~0ull) << off;
		map[bit / 64] = is_seen ? map[bit / 64] | mask : map[bit / 64] & ~mask;
		from += k;
		n -= k;
	}
}

/* seq is the newest number now, and some before it were skipped. */
static void skip_to(struct esp_sa *sa, uint64_t seq)
{
	uint64_t top = sa->seq, known = sa->streak;

	if (seq - top >= sa->window) {
		memset(map_of(sa), 0, (sa->window + 63u) / 64 * 8);
	} else {
		if (known > sa->window)
			known = sa->window;
		put(sa, top + 1 - known, known, true);
		put(sa, top + 1, seq - top - 1, false);
	}
	sa->streak = 0;
}

bool esp_replay_take(struct esp_sa *sa, uint64_t seq, bool *newest)
{
	uint64_t top = sa->seq;

	if (!fresh(sa, seq))
		return false;
	*newest = seq > top;
	if (sa->window > 0) {
		uint32_t bit = (uint32_t)seq & (sa->window - 1u);

		if (seq <= top)
			map_of(sa)[bit / 64] |= 1ull << (bit % 64);
		else if (seq != top + 1)
			skip_to(sa, seq);
		sa->streak += *newest;
	}
	if (*newest)
		__atomic_store_n(&sa->seq, seq, __ATOMIC_RELAXED);
	return true;
}
