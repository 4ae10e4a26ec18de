/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

struct datagram {
	struct sim *s;
	struct timer arrival;
	struct l2tp_path path; /* as the LNS sees it */
	bool to_lns;
	size_t len;
	uint8_t pkt[];
};

static void on_arrival(struct timer *timer, uint64_t now_ms)
{
	struct datagram *d = timer_owner(timer, struct datagram, arrival);
	struct sim *s = d->s;

	s->on_the_way--;
	s->datagrams++;
	if (d->to_lns) {
		lns_rx(s, &d->path, d->pkt, d->len);
	} else {
		for (unsigned i = 0; i < s->n_lacs; i++) {
			if (endpoint_eq(&s->lacs[i].path.remote, &d->path.remote) &&
			    s->lacs[i].path.conn == d->path.conn)
				lac_rx(&s->lacs[i], d->pkt, d->len);
		}
	}
	free(d);
}

static void post(struct sim *s, const struct l2tp_path *path, const uint8_t *pkt, size_t len,
                 bool to_lns)
{
	unsigned copies = 1;

	if (!s->calm) {
		copies += sim_chance(s, s->duplication);
		copies -= sim_chance(s, s->loss);
	}
	while (copies-- > 0) {
		struct datagram *d = calloc(1, sizeof(*d) + len);

		d->s = s;
		d->path = *path;
		d->to_lns = to_lns;
		d->len = len;
		memcpy(d->pkt, pkt, len);
		timer_init(&d->arrival, on_arrival);
		timer_set(&s->world_timers, &d->arrival,
		          s->now + s->delay_ms + (s->calm ? 0 : sim_random(s, s->jitter_ms + 1)));
		s->on_the_way++;
	}
}

void net_to_lns(struct sim *s, const struct l2tp_path *path, const uint8_t *pkt, size_t len)
{
	post(s, path, pkt, len, true);
}

void net_to_lac(struct sim *s, const struct l2tp_path *path, const uint8_t *pkt, size_t len)
{
	post(s, path, pkt, len, false);
}
