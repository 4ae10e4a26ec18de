/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Packets for sessions and SAs that another worker owns: a ring for each pair of workers, filled in bulk.
 *
 * With many workers most rings are empty most of the time, so a worker looks at those alone whose bit is
 * set in its handoff_due. Who fills a ring sets its bit when it is clear; a bit whose ring is empty is
 * cleared by the owner's timer. So two workers write that line a few times a second, not with packets.
 * A filler may have seen the bit set just before it was cleared: therefore the owner looks at the ring
 * until the next timer all the same, which is ages for a store to arrive.
 */
#include "dataplane/priv.h"

#include <rte_prefetch.h>

static_assert(DP_MAX_WORKERS <= 64, "handoff_filled has a bit for each worker");

/*
 * An element of a ring: the mbuf's address, which is one of 47 bits and a multiple of 64, where to go on, and
 * the number. So the owner fetches what it is going to need before a line of the packet has come, and the
 * giver writes none.
 */
#define RESUME_BITS 3
#define MBUF_BITS   41
#define MBUF_SHIFT  6
#define NUMBER_AT   (MBUF_BITS + RESUME_BITS)
#define NUMBERS     (1u << (64 - NUMBER_AT))

#define FETCH_AHEAD 4 /* packets */

static_assert(RESUME_L2TP_OUT < 1 << RESUME_BITS && RTE_MBUF_PRIV_ALIGN <= 1 << MBUF_SHIFT &&
                      SESS_IDS <= NUMBERS && SPI_SLOTS <= NUMBERS,
              "there is room for all three");

static inline uint64_t element(struct rte_mbuf *m, enum resume resume, uint32_t number)
{
	uint64_t at = (uintptr_t)m >> MBUF_SHIFT;

	assert((uintptr_t)m == at << MBUF_SHIFT && at >> MBUF_BITS == 0 && number < NUMBERS);
	return at | (uint64_t)resume << MBUF_BITS | (uint64_t)number << NUMBER_AT;
}

static inline struct rte_mbuf *mbuf_of(uint64_t e)
{
	return (struct rte_mbuf *)((e & ((1ull << MBUF_BITS) - 1)) << MBUF_SHIFT);
}

static inline enum resume resume_of(uint64_t e)
{
	return (enum resume)(e >> MBUF_BITS & ((1u << RESUME_BITS) - 1));
}

static inline uint32_t number_of(uint64_t e)
{
	return (uint32_t)(e >> NUMBER_AT);
}

static void address_bits(struct rte_mempool *pool, void *bits, void *m, unsigned i)
{
	(void)pool;
	(void)i;
	*(uintptr_t *)bits |= (uintptr_t)m;
}

bool dp_handoff_fits(struct rte_mempool *pool)
{
	uintptr_t bits = 0;

	rte_mempool_obj_iter(pool, address_bits, &bits);
	return bits >> MBUF_SHIFT << MBUF_SHIFT == bits && bits >> (MBUF_SHIFT + MBUF_BITS) == 0;
}

static void announce(struct worker *w, uint16_t to)
{
	uint64_t *due = &w->dp->workers[to]->handoff_due, me = 1ull << w->id;

	if (unlikely((__atomic_load_n(due, __ATOMIC_RELAXED) & me) == 0))
		__atomic_fetch_or(due, me, __ATOMIC_RELAXED);
}

/* To write: a line that is fetched to read has to be asked for once more. x86 CPUs that do not know it skip it. */
static inline void fetch_line(const void *p)
{
	__asm__ volatile("prefetchw %0" : : "m"(*(const uint8_t *)p));
}

/*
 * The lines that the next packets' elements and the ring's head are going to be written to. The owner has read them:
 * until they are back here stores wait, and all that come behind them.
 */
static inline void fetch_ring(struct rte_ring *r)
{
	uint64_t *elements = (uint64_t *)(void *)&r[1];

	rte_prefetch0(&r->cons);
	fetch_line(&r->prod);
	for (uint32_t i = 0; i <= VEC_MAX / 2; i += RTE_CACHE_LINE_SIZE / sizeof(*elements))
		fetch_line(&elements[(r->prod.head + i) & r->mask]);
}

static void handoff_send(struct worker *w, uint16_t to)
{
	struct handed *b = &w->handoff[to];
	struct rte_ring *r = w->handoff_to[to];
	uint16_t sent =
	        (uint16_t)rte_ring_sp_enqueue_burst_elem(r, b->v, sizeof(b->v[0]), b->n, NULL);

	announce(w, to);
	w->st.handed_off += sent;
	for (uint16_t i = sent; i < b->n; i++)
		dp_drop(w, mbuf_of(b->v[i]), DP_DROP_HANDOFF_FULL);
	b->n = 0;
	w->handoff_filled &= ~(1ull << to);
}

void dp_handoff(struct worker *w, struct rte_mbuf *m, uint16_t to, enum resume resume,
                uint32_t number)
{
	struct handed *b = &w->handoff[to];

	if (b->n == 0)
		fetch_ring(w->handoff_to[to]);
	b->v[b->n++] = element(m, resume, number);
	w->handoff_filled |= 1ull << to;
	if (b->n == VEC_MAX)
		handoff_send(w, to);
}

void dp_handoff_flush(struct worker *w)
{
	while (w->handoff_filled != 0)
		handoff_send(w, (uint16_t)__builtin_ctzll(w->handoff_filled));
}

static inline struct rte_ring *ring_from(const struct worker *w, uint64_t bits)
{
	return w->dp->workers[__builtin_ctzll(bits)]->handoff_to[w->id];
}

/* ---- what others have given ---- */

/* Where drivers put a frame; others stand not far behind. */
static inline const uint8_t *frame_of(struct rte_mbuf *m)
{
	return (const uint8_t *)(pkt_meta(m) + 1) + RTE_PKTMBUF_HEADROOM;
}

/* What sort looks at. */
static inline void fetch_first(uint64_t e)
{
	fetch_line(mbuf_of(e));
	fetch_line(frame_of(mbuf_of(e)));
}

/* All lines that are going to be read and written, which were last in another core's hands, or in no one's. */
static inline void fetch(const struct worker *w, uint64_t e)
{
	const struct dp *dp = w->dp;
	struct rte_mbuf *m = mbuf_of(e);
	const uint8_t *frame = frame_of(m);

	fetch_first(e);
	switch (resume_of(e)) {
	case RESUME_UP:
		fetch_line(frame + RTE_CACHE_LINE_SIZE);
		rte_prefetch0(&dp->rx[number_of(e)]);
		break;
	case RESUME_DOWN:
		fetch_line(frame - RTE_CACHE_LINE_SIZE);
		rte_prefetch0(&dp->tx[number_of(e)]);
		break;
	case RESUME_ESP:
		fetch_line(frame + RTE_CACHE_LINE_SIZE);
		fetch_line(frame + 2 * RTE_CACHE_LINE_SIZE);
		rte_prefetch0(&dp->spi[number_of(e)]);
		break;
	case RESUME_L2TP_OUT:
		fetch_line(pkt_meta(m));
		rte_prefetch0(&dp->tx[number_of(e)]);
		break;
	case RESUME_CLASSIFY:
		break;
	}
}

/* The next packets of this turn, if any are left. */
static void fetch_next(struct worker *w)
{
	uint16_t n = 0;

	while (n == 0 && w->handoff_from != 0) {
		struct rte_ring *r = ring_from(w, w->handoff_from);

		w->handoff_from &= w->handoff_from - 1;
		n = (uint16_t)rte_ring_sc_dequeue_burst_elem(r, w->taken.v, sizeof(w->taken.v[0]),
		                                             w->vector, NULL);
	}
	w->taken.n = n;
	w->st.taken_over += n;
	for (uint16_t i = 0; i < n; i++)
		fetch(w, w->taken.v[i]);
}

/*
 * Packets of one burst, by where they go on, in that order: with frames are those in w->esp and w->transit. None
 * overtakes another of its session: behind any there is no frame, but for those to sessions, and behind out
 * none to the same one.
 */
struct sorted {
	struct vec frames, any, out;
	uint64_t behind; /* bits of sessions that have one in out */
};

static void done(struct worker *w, struct sorted *s)
{
	const uint16_t any = s->any.n, out = s->out.n;

	dp_input_frames(w, s->frames.v, s->frames.n);
	if (any > 0)
		dp_input(w, s->any.v, any);
	if (out > 0)
		dp_down(w, s->out.v, out);
	s->frames.n = s->any.n = s->out.n = 0;
	s->behind = 0;
}

static inline bool mine(const struct worker *w, uint32_t session)
{
	return likely(dp_mine(w, session));
}

static __rte_noinline void sort_out(struct worker *w, struct rte_mbuf *m, uint32_t session,
                                    struct sorted *s)
{
	if (unlikely(!dp_still_live(w->dp, pkt_meta(m)))) {
		dp_drop(w, m, DP_DROP_SESS_GONE);
	} else if (unlikely(dp_latched(w->dp, pkt_meta(m)))) {
		dp_drop(w, m, DP_DROP_SS_FIRED);
	} else {
		s->behind |= 1ull << (session & 63);
		vec_push(&s->out, m);
	}
}

/* A frame whose session has another owner by now, or none, is looked at once more, from the beginning. */
static inline void sort(struct worker *w, uint64_t e, struct sorted *s)
{
	struct rte_mbuf *m = mbuf_of(e);
	const enum resume resume = resume_of(e);
	const uint32_t number = number_of(e);

	if (resume == RESUME_L2TP_OUT) {
		sort_out(w, m, number, s);
	} else if (resume == RESUME_DOWN && mine(w, number)) {
		if (unlikely((s->behind >> (number & 63) & 1) != 0))
			done(w, s);
		w->frames_down |= 1ull << w->transit.n;
		w->down_to[w->transit.n] = (uint16_t)number;
		vec_push(&w->transit, m);
	} else if (resume == RESUME_UP && s->any.n == 0 && mine(w, number)) {
		vec_push(&s->frames, m);
	} else if (resume == RESUME_ESP && s->any.n == 0) {
		dp_esp_frame(w, m);
	} else {
		vec_push(&s->any, m);
	}
}

void dp_handoff_ahead(struct worker *w)
{
	w->handoff_from = __atomic_load_n(&w->handoff_due, __ATOMIC_RELAXED) | w->handoff_lingers;
	w->taken.n = 0;
	if (w->handoff_from != 0)
		fetch_next(w);
}

/*
 * All lines of a vector have been asked for in one go: of as many a CPU forgets most. So each packet's are asked for
 * again while those before it are sorted.
 */
static inline void sort_all(struct worker *w, const struct handed *e, struct sorted *s)
{
	for (uint16_t i = 0; i < e->n; i++) {
		if (i + FETCH_AHEAD < e->n)
			fetch(w, e->v[i + FETCH_AHEAD]);
		sort(w, e->v[i], s);
	}
}

uint32_t dp_handoff_take(struct worker *w)
{
	struct sorted s;
	struct handed e;
	uint32_t n = 0;

	s.frames.n = s.any.n = s.out.n = 0;
	s.behind = 0;
	while (w->taken.n > 0) {
		e.n = w->taken.n;
		memcpy(e.v, w->taken.v, e.n * sizeof(e.v[0]));
		for (uint16_t i = 0; i < e.n; i++)
			fetch_first(e.v[i]);
		if (w->handoff_from != 0) /* on their way while these are worked on */
			fetch_next(w);
		else
			w->taken.n = 0;
		sort_all(w, &e, &s);
		done(w, &s);
		n += e.n;
	}
	return n;
}

void dp_handoff_timer(struct worker *w)
{
	uint64_t due = __atomic_load_n(&w->handoff_due, __ATOMIC_RELAXED), filled = 0;

	for (uint64_t from = due | w->handoff_lingers; from != 0; from &= from - 1) {
		if (!rte_ring_empty(ring_from(w, from)))
			filled |= from & -from;
	}
	w->handoff_lingers = due & ~filled;
	if (w->handoff_lingers != 0)
		__atomic_fetch_and(&w->handoff_due, ~w->handoff_lingers, __ATOMIC_RELAXED);
	if ((filled & ~due) != 0)
		__atomic_fetch_or(&w->handoff_due, filled, __ATOMIC_RELAXED);
}

void dp_handoff_free(struct worker *w)
{
	for (uint16_t to = 0; w->handoff_to != NULL && to < w->dp->conf.n_workers; to++) {
		struct rte_ring *r = w->handoff_to[to];
		uint64_t e;

		while (r != NULL && rte_ring_sc_dequeue_elem(r, &e, sizeof(e)) == 0)
			rte_pktmbuf_free(mbuf_of(e));
		rte_free(r);
	}
	rte_free(w->handoff_to);
	w->handoff_to = NULL;
}
