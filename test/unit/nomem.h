/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Memory that runs out: the linker leads a test's malloc, calloc, realloc, strdup, strndup and slab_get to
 * here (nomem_args of meson.build), and what of libcrypto allocates for a digest; chosen calls fail while they
 * are armed. And free and slab_put: no leak checker knows what is lost of a slab.
 */
#pragma once

#include <stdint.h>

struct nomem_plan {
	uint32_t from; /* the first that fails, counted from 1; 0: none */
	uint32_t every; /* .. and each so many further on; 0: no other */
};

/* Counts from 1 again. What is allocated outside of nomem_enter and nomem_leave always succeeds. */
void nomem_arm(struct nomem_plan plan);
void nomem_disarm(void);
uint32_t nomem_failed(void); /* allocations that failed since it was armed */
/* What was allocated inside and not given back there: compare two of them. */
int nomem_objects(void);

/* Around what is under test; they nest. For the first thread; any other is inside. */
void nomem_enter(void);
void nomem_leave(void);
/* Around what it calls of the test's own; what is returned is for nomem_inside. */
uint32_t nomem_outside(void);
void nomem_inside(uint32_t depth);
