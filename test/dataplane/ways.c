/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "dataplane/ways.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_ROWS(t)   (sizeof(t) / sizeof((t)[0]))
#define GARBAGE     0xee
#define SENDERS_MAX 16

typedef void (*way_fn)(struct worker *w, struct rte_mbuf **v, uint16_t n);

struct worker *ways_worker(void)
{
	return rig()->dp->workers[rig()->owner];
}

/* ESP packets, decrypted, to v. */
static uint16_t esp_by_stages(struct worker *w, struct rte_mbuf **v)
{
	uint16_t n = w->esp.n;

	for (uint16_t i = 0; i < n; i++) {
		if (w->esp_frames >> i & 1)
			dp_frame_esp(w, w->esp.v[i], w->esp_pkt[i].data);
	}
	w->esp.n = 0;
	w->esp_frames = 0;
	n = dp_esp_in(w, w->esp.v, n);
	memcpy(v, w->esp.v, n * sizeof(*v));
	return n;
}

/* dp_input without up and down. */
static void by_stages(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	uint16_t k = 0;

	n = dp_classify(w, v, n);
	for (uint16_t i = 0; i < n; i++) {
		if ((w->frames >> i & 1) == 0 || dp_frame_message(w, v[i]))
			v[k++] = v[i];
	}
	w->frames = 0;
	n = k + esp_by_stages(w, v + k);
	n = dp_l2tp_in(w, v, n);
	n = dp_ppp_in(w, v, n);
	dp_route(w, v, n);
	n = w->transit.n;
	for (uint16_t i = 0; i < n; i++) {
		if (w->frames_down >> i & 1)
			dp_frame_transit(w, w->transit.v[i]);
	}
	w->transit.n = 0;
	w->frames_down = 0;
	dp_route(w, w->transit.v, n);
}

uint16_t ways_arrive(struct rte_mbuf **v, const struct bytes *frames, uint16_t n, uint16_t port)
{
	struct worker *w = ways_worker();

	w->now += rte_get_tsc_hz();
	w->st.rx += n;
	for (uint16_t i = 0; i < n; i++) {
		v[i] = dp_alloc(rig()->dp, frames[i].len);
		CU_ASSERT_PTR_NOT_NULL_FATAL(v[i]);
		memcpy(rte_pktmbuf_append(v[i], (uint16_t)frames[i].len), frames[i].b,
		       frames[i].len);
		memset(pkt_meta(v[i]), GARBAGE, sizeof(struct pkt_meta)); /* whoever had it last */
		v[i]->port = port;
	}
	return n;
}

/* ---- packets by chance ---- */

uint32_t ways_chance(uint64_t *seed, uint32_t n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % n;
}

void ways_inner(uint64_t *seed, struct bytes *d, uint32_t src, uint32_t dst)
{
	static const uint32_t to[] = {
	        CORE_HOST,        CORE_GW,    LAC, LAC_VLAN, SUB2,      SUB_FREE,
	        FRAMED,           FRAMED + 1, LNS, CORE_US,  BLACKHOLE, IP(127, 0, 0, 1),
	        IP(224, 0, 0, 1), 0};
	static const uint16_t frags[] = {0x4000, 0x2000, 0x0010};
	static const uint8_t nops[] = {1, 1, 1, 0};
	struct ipspec s = {
	        .src = src, .dst = dst != 0 ? dst : WORLD + ways_chance(seed, 3), .payload = 36};

	if (ways_chance(seed, dst != 0 ? 20 : 3) == 0)
		s.dst = to[ways_chance(seed, N_ROWS(to))];
	if (ways_chance(seed, 20) == 0)
		s.src++;
	if (ways_chance(seed, 8) == 0)
		s.ttl = (uint8_t)(1 + ways_chance(seed, 3));
	if (ways_chance(seed, 8) == 0)
		s.frag = frags[ways_chance(seed, N_ROWS(frags))];
	if (ways_chance(seed, 8) == 0)
		s.payload = (uint16_t)ways_chance(seed, 64);
	if (ways_chance(seed, 16) == 0)
		s.payload = (uint16_t)(1470 + ways_chance(seed, 30));
	if (ways_chance(seed, 16) == 0)
		s.proto = 6;
	if (ways_chance(seed, 16) == 0) {
		s.options = nops;
		s.n_options = sizeof(nops);
	}
	s.id = (uint16_t)ways_chance(seed, 65536);
	d->len = 0;
	if (ways_chance(seed, 16) == 0)
		tcp_syn_make(d, s.src, s.dst, 1400, ways_chance(seed, 2) != 0);
	else
		ip4_make(d, &s);
}

void ways_body(uint64_t *seed, struct bytes *d, uint32_t src)
{
	static const char *const ppp[] = {"ff 03 00 21", "00 21", "21",
	                                  "ff 03 21",    "c0 21", "ff 03 00 57"};
	struct bytes packet = {0};

	ways_inner(seed, &packet, src, 0);
	ppp_make(d,
	         ppp[ways_chance(seed, 4) != 0 ? ways_chance(seed, 2)
	                                       : ways_chance(seed, N_ROWS(ppp))],
	         &packet);
}

void ways_mutate(uint64_t *seed, struct bytes *frame, uint32_t n)
{
	for (uint32_t k = 1 + ways_chance(seed, 3); k > 0; k--)
		frame->b[ways_chance(seed, n)] ^= (uint8_t)(1u << ways_chance(seed, 8));
	if (ways_chance(seed, 2) != 0)
		ip4_fix(frame, 14);
	if (ways_chance(seed, 8) == 0)
		frame->len -= RTE_MIN(frame->len - 1, 1 + ways_chance(seed, 40));
}

/* ---- what came of them ---- */

uint64_t ways_digest(uint64_t h, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

/* Who sent it, by the source address. */
static uint32_t sender(const struct rig_frame *f)
{
	return get_be32(f->d.b + 26 + (get_be16(f->d.b + 12) == 0x8100 ? 4 : 0)) + f->port;
}

/* Frames, those of a sender in their order; senders in any. */
uint64_t ways_frames(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < rig()->n_frames; i++) {
		const struct rig_frame *f = &rig()->frames[i];
		uint32_t before = 0;

		for (uint32_t k = 0; k < i; k++)
			before += sender(&rig()->frames[k]) == sender(f);
		sum += ways_digest(ways_digest(before + 1, &f->port, sizeof(f->port)), f->d.b,
		                   f->d.len);
	}
	return sum;
}

uint64_t ways_counts(uint64_t h, int n)
{
	struct dp_stats st;

	for (uint32_t i = 0; i < rig()->n_punts; i++) {
		const struct rig_punt *p = &rig()->punts[i];

		h = ways_digest(h, &p->p.class, sizeof(p->p.class));
		h = ways_digest(h, &p->p.session_id, sizeof(p->p.session_id));
		h = ways_digest(h, &p->p.mtu, sizeof(p->p.mtu));
		h = ways_digest(h, &p->p.ifidx, sizeof(p->p.ifidx));
		h = ways_digest(h, p->d.b, p->d.len);
	}
	dp_stats_get(rig()->dp, -1, &st);
	st.busy_cycles = st.idle_cycles = st.vectors = 0;
	st.handed_off = st.taken_over = 0;
	h = ways_digest(h, &st, sizeof(st));
	for (int i = 0; i < n; i++) {
		struct dp_session_stats s;

		CU_ASSERT_EQUAL(dp_session_stats(rig()->dp, (uint16_t)(SID + i), GEN, &s), 0);
		h = ways_digest(h, &s.rx_packets, sizeof(s.rx_packets));
		h = ways_digest(h, &s.rx_bytes, sizeof(s.rx_bytes));
		h = ways_digest(h, &s.rx_discards, sizeof(s.rx_discards));
		h = ways_digest(h, &s.rx_out_of_sequence, sizeof(s.rx_out_of_sequence));
		h = ways_digest(h, &s.tx_packets, sizeof(s.tx_packets));
		h = ways_digest(h, &s.tx_bytes, sizeof(s.tx_bytes));
	}
	return h;
}

void ways_in_order(uint32_t n, uint32_t senders)
{
	uint16_t last[SENDERS_MAX] = {0};

	CU_ASSERT_EQUAL_FATAL(rig()->n_frames, n);
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *ip = rig()->frames[i].d.b + 14;
		uint32_t who = get_be32(ip + 12) - SUB;

		CU_ASSERT_FATAL(who < senders && who < SENDERS_MAX);
		CU_ASSERT_TRUE(get_be16(ip + 4) > last[who]);
		last[who] = get_be16(ip + 4);
	}
}

static int punts_compare(const void *a, const void *b)
{
	const struct rig_punt *x = a, *y = b;

	if (x->p.class != y->p.class)
		return x->p.class < y->p.class ? -1 : 1;
	if (x->d.len != y->d.len)
		return x->d.len < y->d.len ? -1 : 1;
	if (x->p.ifidx != y->p.ifidx)
		return x->p.ifidx < y->p.ifidx ? -1 : 1;
	if (x->p.session_id != y->p.session_id)
		return x->p.session_id < y->p.session_id ? -1 : 1;
	return memcmp(x->d.b, y->d.b, x->d.len);
}

/* In an order that does not depend on which worker had them. */
static void punts_sort(void)
{
	qsort(rig()->punts, rig()->n_punts, sizeof(rig()->punts[0]), punts_compare);
}

/* Vector by vector what came of it; returns how many frames left. */
static uint32_t run(const struct ways *t, way_fn way, uint64_t seed, uint64_t outcomes[VECTORS])
{
	static struct bytes frames[N_MAX];
	uint32_t left = 0;
	uint64_t now;

	t->open();
	now = ways_worker()->now;
	for (int i = 0; i < VECTORS; i++) {
		struct rte_mbuf *v[VEC_MAX];
		uint16_t n = (uint16_t)(1 + ways_chance(&seed, N_MAX));

		for (uint16_t k = 0; k < n; k++)
			t->frame(&seed, &frames[k]);
		ways_worker()->now = now + (uint64_t)i * rte_get_tsc_hz();
		dp_hold_timer(ways_worker()); /* of this time, not of the clock's */
		dp_reassembly_timer(ways_worker());
		way(ways_worker(), v, ways_arrive(v, frames, n, t->port));
		rig_turn();
		outcomes[i] = t->outcome();
		left += rig()->n_frames;
		rig_clear();
	}
	t->close();
	return left;
}

static void compare(const struct ways *t, way_fn way, way_fn reference)
{
	static uint64_t one[VECTORS], other[VECTORS];

	for (uint64_t seed = 1; seed <= 3; seed++) {
		uint32_t left = run(t, way, seed, one);
		int i = 0;

		CU_ASSERT_TRUE(left > VECTORS); /* not all went wrong */
		CU_ASSERT_EQUAL(run(t, reference, seed, other), left);
		while (i < VECTORS && one[i] == other[i])
			i++;
		if (i < VECTORS)
			printf("\n    seed %lu: the ways differ at vector %d", seed, i);
		CU_ASSERT_EQUAL(i, VECTORS);
	}
}

void ways_same(const struct ways *t)
{
	compare(t, dp_input, by_stages);
}

/* The other worker, in the same second; what run has the owner do is done. */
static struct worker *other_worker(const struct worker *owner)
{
	struct worker *w = rig()->dp->workers[rig()->owner == 0 ? 1 : 0];

	w->now = owner->now - rte_get_tsc_hz();
	dp_hold_timer(w);
	dp_reassembly_timer(w);
	w->now = owner->now;
	return w;
}

/* What they give each other, in that second. */
static void settle(struct worker *owner, struct worker *other)
{
	uint32_t moved;

	do {
		dp_flush(other);
		dp_handoff_ahead(owner);
		moved = dp_handoff_take(owner);
		dp_flush(owner);
		dp_handoff_ahead(other);
		moved += dp_handoff_take(other);
	} while (moved > 0);
	rig_turn();
	punts_sort();
}

/* To a worker that owns none of the sessions. */
static void by_another(struct worker *owner, struct rte_mbuf **v, uint16_t n)
{
	struct worker *w = other_worker(owner);

	dp_input(w, v, n);
	settle(owner, w);
}

static void by_owner(struct worker *owner, struct rte_mbuf **v, uint16_t n)
{
	struct worker *w = other_worker(owner);

	dp_input(owner, v, n);
	settle(owner, w);
}

void ways_handed(const struct ways *t)
{
	if (rig()->n_workers > 1)
		compare(t, by_another, by_owner);
}
