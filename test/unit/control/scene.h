/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Scenes of a subscriber's life that are played again and again, each time with other allocations of
 * control's failing. What comes of the dials is open; what control holds and counts is not.
 */
#pragma once

#include "control/rig_ipsec.h"

#include <CUnit/Basic.h>

#define SCENE_DIALS 8

struct scene;

/* What a scene has dialled; pointers are NULL when the LAC has freed them. */
struct scene_dial {
	struct lac_tunnel *t;
	struct lac_session *s; /* the newest */
};

struct play {
	struct rig *r;
	struct scene_dial dial[SCENE_DIALS];
	uint32_t n_dials;
	bool until_step; /* memory is back at the end of the step in which it ran out */
	uint64_t sessions_up, tunnels_up; /* by control's log */
};

struct scene {
	const char *name;
	void (*conf)(struct rig *r); /* before control is made; may be NULL */
	void (*run)(struct play *p);
};

/*
 * Plays it with the n-th allocation failing, for each n that there is; with all from the n-th to the end of
 * its step; and with every second, third, .. one. After each all has to end, and a new subscriber comes up.
 * What failed is printed; NOMEM_FROM, NOMEM_EVERY and NOMEM_UNTIL in the environment play that one alone.
 */
void scene_play(const struct scene *s);

/* Lets ms pass, then looks whether all that control counts is so. */
void scene_step(struct play *p, uint64_t ms);
/* As rig_dial, of user1; its number. */
uint32_t scene_dial(struct play *p, const char *host, uint16_t port, uint64_t conn, uint32_t n,
                    const char *password);

/* All of control's counts against what they count, and against the data plane's. */
void audit(struct rig *r);
