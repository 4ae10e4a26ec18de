/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * What a worker does between empty turns. It eases off the longer nothing comes, and spins again from the
 * first packet on: at a load that leaves gaps of microseconds nobody waits for a sleeper.
 *
 * spin   nothing: the ports are asked again at once
 * pause  PAUSE instructions, more of them as turns stay empty: the CPU's other thread gets the core
 * sleep  the same, and after a while sleeps that double up to the configured length
 */
#include "dataplane/priv.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <rte_pause.h>

#define PAUSE_STEP  16 /* empty turns at each number of pauses */
#define PAUSES_MAX  32 /* 140 cycles each at most: some 2 us */
#define SLEEP_AFTER 128 /* empty turns: some 50 to 100 us, more than a sleep and its wake-up take */
#define SLACK_NS    1000

/* The kernel lets a timer be late by 50 us, so that it wakes up less often: here that doubles a sleep. */
void dp_idle_init(const struct dp *dp)
{
	if (dp->conf.idle == DP_IDLE_SLEEP)
		(void)prctl(PR_SET_TIMERSLACK, SLACK_NS, 0, 0, 0);
}

uint32_t dp_idle_pauses(uint32_t empty)
{
	uint32_t doublings = empty / PAUSE_STEP;

	return doublings < 5 ? 1u << doublings : PAUSES_MAX;
}

uint32_t dp_idle_sleep_us(const struct dp *dp, uint32_t empty)
{
	uint32_t doublings = empty - SLEEP_AFTER;

	if (dp->conf.idle != DP_IDLE_SLEEP || empty < SLEEP_AFTER)
		return 0;
	return doublings < 16 ? RTE_MIN(1u << doublings, dp->conf.idle_sleep_us)
	                      : dp->conf.idle_sleep_us;
}

void dp_idle(struct worker *w)
{
	uint32_t us = dp_idle_sleep_us(w->dp, w->empty);

	if (w->dp->conf.idle == DP_IDLE_SPIN)
		return;
	if (us > 0 && !w->order_waits) {
		usleep(us);
	} else {
		for (uint32_t i = dp_idle_pauses(w->empty); i > 0; i--)
			rte_pause();
	}
	if (w->empty < UINT32_MAX)
		w->empty++;
}
