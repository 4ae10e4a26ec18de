/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Requests for new tunnels: see limit.h for what is limited and why. */
#include "dataplane/limit.h"

#include <rte_hash_crc.h>
#include <rte_malloc.h>

#define SOURCES     4096 /* buckets that sources share by hash */
#define SEEN_SETS   32768 /* of one cache line each: 2 MiB remember a flood's last seconds */
#define SEEN_WAYS   16
#define TICKS_S     8 /* ages are counted in eighths of a second */
#define AGE_MIN     (TICKS_S / 2) /* a repetition that comes sooner is no retransmission */
#define AGE_MAX     (12 * TICKS_S) /* the longest pause that RFC 2661 5.8 has, and then some */
#define BURST_PARTS 5 /* of a second's packets may come at once */

struct seen { /* tag 0: empty */
	uint16_t tag, when;
};

struct newtun {
	uint64_t tick; /* TSC cycles */
	uint64_t source_cost, source_burst;
	uint32_t seed;
	struct gcra first, again;
	uint64_t first_due[SOURCES], again_due[SOURCES];
	struct seen seen[SEEN_SETS][SEEN_WAYS] __attribute__((aligned(64)));
};

struct newtun *newtun_new(uint64_t hz, uint32_t rate, uint32_t source_rate, uint32_t seed,
                          int socket)
{
	struct newtun *nt = rte_zmalloc_socket("dp_newtun", sizeof(*nt), 64, socket);

	if (nt == NULL)
		return NULL;
	nt->tick = hz / TICKS_S;
	nt->source_cost = hz / source_rate;
	nt->source_burst = nt->source_cost * source_rate; /* one second's worth */
	nt->seed = seed;
	gcra_init(&nt->first, hz, rate, rate / BURST_PARTS + 1);
	gcra_init(&nt->again, hz, rate, rate / BURST_PARTS + 1);
	return nt;
}

void newtun_free(struct newtun *nt)
{
	rte_free(nt);
}

/* Remembers the sender; true when it was seen long enough ago for this to be a retransmission. */
static bool seen_before(struct newtun *nt, uint32_t set, uint16_t tag, uint16_t tick)
{
	struct seen *s = nt->seen[set], *oldest = s;
	uint16_t age;

	for (uint32_t i = 0; i < SEEN_WAYS; i++) {
		age = (uint16_t)(tick - s[i].when);
		if (s[i].tag == tag && age <= AGE_MAX) {
			if (age < AGE_MIN)
				return false;
			s[i].when = tick;
			return true;
		}
		if (oldest->tag != 0 && (s[i].tag == 0 || age > (uint16_t)(tick - oldest->when)))
			oldest = &s[i];
	}
	oldest->tag = tag;
	oldest->when = tick;
	return false;
}

bool newtun_take(struct newtun *nt, uint32_t src, uint16_t port, uint64_t now)
{
	uint32_t by_source = rte_hash_crc_4byte(src, nt->seed);
	uint32_t by_sender = rte_hash_crc_4byte(port, by_source);
	/* CRC is linear: multiplying before the bits are taken apart makes tag and set differ. */
	uint64_t mixed = (uint64_t)(by_sender ^ nt->seed) * 0x9e3779b97f4a7c15ull;
	uint16_t tag = (uint16_t)(mixed >> 48 | 1);
	uint32_t set = (uint32_t)(mixed >> 32) % SEEN_SETS;
	uint32_t bucket = by_source % SOURCES;

	if (seen_before(nt, set, tag, (uint16_t)(now / nt->tick)) &&
	    gcra_due_take(&nt->again_due[bucket], nt->source_cost, nt->source_burst, now) &&
	    gcra_take(&nt->again, now))
		return true;
	return gcra_due_take(&nt->first_due[bucket], nt->source_cost, nt->source_burst, now) &&
	       gcra_take(&nt->first, now);
}
