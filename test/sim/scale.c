/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * All tunnels that there can be, dropped and dialled again at once, three times: from either end, and
 * without any word. No dial may wait for an id.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct packet {
	struct packet *next;
	int to;
	struct l2tp_path path;
	size_t len;
	uint8_t pkt[];
};

struct side {
	struct world *w;
	int index; /* 0: LNS, 1: LAC */
	struct timerq timers;
	struct l2tp *l2tp;
	struct idpool *ids;
	struct l2tp_tunnel **open; /* by local id */
	unsigned n_open, n_up;
	uint64_t random;
};

struct world {
	uint64_t now;
	struct side side[2];
	struct packet *head, *tail;
	uint64_t datagrams;
	unsigned no_id;
};

static struct l2tp_path path_of(unsigned n, int side)
{
	struct endpoint lns = {ipaddr_v4(0xc0000201), 1701};
	struct endpoint lac = {ipaddr_v4(0x0a000000u + n / 4), (uint16_t)(1701 + n % 4)};

	if (side == 0)
		return (struct l2tp_path){.local = lns, .remote = lac};
	return (struct l2tp_path){.local = lac, .remote = lns};
}

static void op_send(void *ctx, const struct l2tp_path *path, const uint8_t *pkt, size_t len)
{
	struct side *me = ctx;
	struct packet *p = malloc(sizeof(*p) + len);

	p->next = NULL;
	p->to = !me->index;
	p->path = (struct l2tp_path){.local = path->remote, .remote = path->local};
	p->len = len;
	memcpy(p->pkt, pkt, len);
	if (me->w->tail != NULL)
		me->w->tail->next = p;
	else
		me->w->head = p;
	me->w->tail = p;
}

static void fill(struct l2tp_tunnel_conf *conf, uint16_t id)
{
	*conf = (struct l2tp_tunnel_conf){
	        .local_id = id,
	        .host_name = "lns",
	        .rws = 4,
	        .retries_established = 5,
	        .retries_not_established = 5,
	        .retransmit_first_ms = 1000,
	        .retransmit_cap_ms = 8000,
	        .hello_ms = 60000,
	        .establish_ms = 60000,
	        .linger_ms = 31000,
	};
}

static uint16_t take_id(struct side *me, const struct l2tp_path *path)
{
	uint16_t id =
	        idpool_get(me->ids, endpoint_hash(&path->remote, path->local.port), me->w->now);

	me->w->no_id += id == 0;
	return id;
}

static enum l2tp_verdict op_tunnel_request(void *ctx, const struct l2tp_path *path,
                                           const struct l2tp_msg *msg,
                                           struct l2tp_tunnel_conf *conf, struct l2tp_result *res,
                                           void **user)
{
	struct side *me = ctx;
	uint16_t id = take_id(me, path);

	if (id == 0)
		return L2TP_REFUSE;
	fill(conf, id);
	me->n_open++;
	return L2TP_ACCEPT;
}

static void op_rejected(void *ctx, const struct l2tp_path *path, const struct l2tp_msg *msg,
                        const struct l2tp_result *res)
{
}

static void op_up(void *ctx, struct l2tp_tunnel *t)
{
	struct side *me = ctx;
	struct l2tp_tunnel_info info;

	l2tp_tunnel_info(t, &info);
	me->open[info.local_id] = t;
	me->n_up++;
}

static void op_down(void *ctx, struct l2tp_tunnel *t, const struct l2tp_result *res)
{
	struct side *me = ctx;
	struct l2tp_tunnel_info info;

	l2tp_tunnel_info(t, &info);
	me->n_up -= me->open[info.local_id] == t;
	me->open[info.local_id] = NULL;
}

static void op_gone(void *ctx, struct l2tp_tunnel *t)
{
	struct side *me = ctx;
	struct l2tp_tunnel_info info;

	l2tp_tunnel_info(t, &info);
	idpool_put(me->ids, info.local_id, me->w->now);
	me->n_open--;
}

static void op_random(void *ctx, uint8_t *buf, size_t len)
{
	struct side *me = ctx;

	while (len-- > 0) {
		me->random = me->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
		*buf++ = (uint8_t)(me->random >> 56);
	}
}

/* There are no calls here. */
static const struct l2tp_ops ops = {
        .send = op_send,
        .tunnel_request = op_tunnel_request,
        .tunnel_rejected = op_rejected,
        .tunnel_up = op_up,
        .tunnel_down = op_down,
        .tunnel_gone = op_gone,
        .random = op_random,
};

/* Datagrams one by one in order, a millisecond for every hundred. */
static void settle(struct world *w)
{
	unsigned n = 0;

	while (w->head != NULL) {
		struct packet *p = w->head;

		w->head = p->next;
		if (w->head == NULL)
			w->tail = NULL;
		l2tp_rx(w->side[p->to].l2tp, &p->path, p->pkt, p->len, w->now);
		free(p);
		w->datagrams++;
		if (++n % 100 != 0)
			continue;
		w->now++;
		for (int i = 0; i < 2; i++)
			timerq_run(&w->side[i].timers, w->now, 0);
	}
}

static bool dial(struct world *w, unsigned tunnels)
{
	struct side *lac = &w->side[1];
	struct l2tp_tunnel_conf conf;

	for (unsigned n = 0; n < tunnels; n++) {
		struct l2tp_path path = path_of(n, 1);
		uint16_t id = take_id(lac, &path);

		if (id == 0)
			return false;
		fill(&conf, id);
		if (l2tp_tunnel_open(lac->l2tp, &path, &conf, NULL, w->now) == NULL)
			return false;
		lac->n_open++;
	}
	settle(w);
	return w->no_id == 0 && w->side[0].n_up == tunnels && lac->n_up == tunnels;
}

/* Round 0: the LACs end it; 1: the LNS; 2: every path goes at once, on both sides. */
static bool drop(struct world *w, int round)
{
	struct l2tp_result res = {.result = 1, .reason = L2TP_R_TUNNEL_ADMIN_CLOSE};

	for (int i = 0; i < 2; i++) {
		if (round == 1 - i)
			continue;
		for (unsigned id = 1; id < 65536; id++) {
			struct l2tp_tunnel *t = w->side[i].open[id];

			if (t == NULL)
				continue;
			if (round == 2)
				l2tp_tunnel_abort(t, &res, w->now);
			else
				l2tp_tunnel_close(t, &res, w->now);
		}
	}
	settle(w);
	return w->side[0].n_open == 0 && w->side[1].n_open == 0;
}

int sim_scale(unsigned tunnels, bool verbose)
{
	struct world *w = calloc(1, sizeof(*w));
	uint32_t n_tunnels, n_calls, lingering;
	struct timespec t0, t1;
	struct rusage ru;
	bool ok = tunnels < 65536;

	clock_gettime(CLOCK_MONOTONIC, &t0);
	w->now = 1;
	for (int i = 0; i < 2; i++) {
		struct side *me = &w->side[i];

		me->w = w;
		me->index = i;
		me->random = (uint64_t)i;
		me->ids = idpool_new(1, 65535, 31000, (uint32_t)i);
		me->open = calloc(65536, sizeof(struct l2tp_tunnel *));
		me->l2tp = l2tp_new(&ops, me, &me->timers, NULL, NULL, 0);
	}
	for (int round = 0; round < 3 && ok; round++) {
		ok = dial(w, tunnels);
		printf("round %d: %u of %u tunnels up at %llu ms, %u times no id\n", round,
		       w->side[0].n_up, tunnels, (unsigned long long)w->now, w->no_id);
		ok = drop(w, round) && ok;
	}
	w->now += 31000;
	for (int i = 0; i < 2; i++) {
		struct side *me = &w->side[i];

		timerq_run(&me->timers, w->now, 0);
		l2tp_count(me->l2tp, &n_tunnels, &n_calls, &lingering);
		ok = ok && n_tunnels + n_calls + lingering + me->timers.n == 0;
		l2tp_free(me->l2tp);
		free(me->ids);
		free(me->open);
	}
	clock_gettime(CLOCK_MONOTONIC, &t1);
	getrusage(RUSAGE_SELF, &ru);
	printf("%s: %llu datagrams in %.1f s, %ld MiB\n", ok ? "passed" : "FAILED",
	       (unsigned long long)w->datagrams,
	       (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9,
	       ru.ru_maxrss / 1024);
	free(w);
	return !ok;
}
