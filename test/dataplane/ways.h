/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What the tests share that send the same vectors two ways (ways_up.c, ways_down.c and ways_esp.c). */
#pragma once

#include "dataplane/rig.h"

#define VECTORS 1500
#define N_MAX   32

struct worker *ways_worker(void); /* who owns the sessions */
uint32_t ways_chance(uint64_t *seed, uint32_t n); /* 0 to n - 1 */
uint64_t ways_digest(uint64_t h, const void *bytes, size_t n);
/* An inner packet of src, mostly right, by chance; to WORLD.. when dst is 0. */
void ways_inner(uint64_t *seed, struct bytes *d, uint32_t src, uint32_t dst);
/* The same behind a PPP header, by chance too: the body of a message. */
void ways_body(uint64_t *seed, struct bytes *d, uint32_t src);
/* Some bits of the first n bytes change; sometimes the IPv4 checksum is made right again. */
void ways_mutate(uint64_t *seed, struct bytes *frame, uint32_t n);
/* As rx does, at port; a second later than the last vector, so that no rate decides. */
uint16_t ways_arrive(struct rte_mbuf **v, const struct bytes *frames, uint16_t n, uint16_t port);
/* A digest of the frames that have left, those of a sender in their order; senders in any. */
uint64_t ways_frames(void);
/* n frames have left, all of that many subscribers from SUB on, and of each one the packets' ids rise. */
void ways_in_order(uint32_t n, uint32_t senders);
/* What is the same whichever way packets went: punts, and counters of the data plane and of n sessions from SID on. */
uint64_t ways_counts(uint64_t h, int n);

struct ways {
	void (*open)(void);
	void (*frame)(uint64_t *seed, struct bytes *frame); /* by chance */
	uint64_t (*outcome)(void); /* a digest of what came of a vector */
	void (*close)(void);
	uint16_t port; /* where frames arrive */
};

/* The same vectors through dp_input, and through the stages alone: outcomes are the same. */
void ways_same(const struct ways *t);
/* The same with vectors that arrive at a worker that owns none of the sessions. */
void ways_handed(const struct ways *t);
