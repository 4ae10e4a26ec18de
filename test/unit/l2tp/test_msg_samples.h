/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* One full message of each type, for the tests that need them all. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAMPLE_SECRET "sally's secret"
#define SAMPLE_COUNT  15 /* the 14 types of RFC 2661 and a ZLB, which comes last */

/*
 * Builds sample n (0 ..) into buf. With hidden, everything that may be hidden is. Returns the
 * length; 0 past the last one, or when size is too small.
 */
size_t sample_build(unsigned n, bool hidden, uint8_t *buf, size_t size);

/* Its message type. */
uint16_t sample_type(unsigned n);
