/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What the tests of lib/esp share: engine, random numbers, pairs of SAs, guarded buffers. */
#pragma once

#include "esp/esp_int.h"
#include "unit/esp/ref.h"

#include <CUnit/CUnit.h>

#include <stdio.h>

extern struct esp *rig_esp; /* made before the first suite */

void rig_seed(uint64_t seed);
uint64_t rig_random(void);
void rig_fill(uint8_t *p, size_t n);

/* One SA as lib/esp's sender and receiver see it, and the reference. */
struct pair {
	struct ref_sa ref;
	struct esp_sa *out, *in;
};
/* Random keys and SPI. */
void pair_make(struct pair *p, const struct esp_suite *s, bool esn, uint32_t window);
void pair_free(struct pair *p);
struct esp_sa *rig_sa(const struct ref_sa *r, bool inbound, uint32_t window);
/* Sets the last number of both. */
void pair_seq(struct pair *p, uint64_t seq);

/* A buffer whose every byte around a packet is known: rig_intact says whether it still is. */
#define RIG_GUARD 64
#define RIG_MAX   2048
struct buf {
	uint8_t bytes[RIG_GUARD + RIG_MAX + RIG_GUARD];
	uint16_t from, to; /* the bytes that may change */
};
/* Returns where the payload stands: head bytes before it and tail bytes behind it may change. */
uint8_t *rig_buf(struct buf *b, uint16_t head, uint16_t len, uint16_t tail);
bool rig_intact(const struct buf *b);

/* Encrypts one payload by the reference, with a random IV, straight into a packet for v. */
void rig_sealed(struct pair *p, uint64_t seq, const uint8_t *payload, uint16_t len, struct buf *b,
                struct esp_pkt *v);

/* Counts what is wrong and shows the first few, so that a broken build does not print for hours. */
struct tally {
	unsigned int bad;
};
#define TALLY(t, cond, ...)                                                                        \
	do {                                                                                       \
		if (!(cond) && (t)->bad++ < 5) {                                                   \
			printf("\n%s:%d: %s: ", __FILE__, __LINE__, #cond);                        \
			printf(__VA_ARGS__);                                                       \
		}                                                                                  \
	} while (0)

extern CU_TestInfo tests_vectors[], tests_cross[], tests_tamper[], tests_replay[], tests_iv[],
        tests_sa[], tests_packet[], tests_seal[], tests_open[];
