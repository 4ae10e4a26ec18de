/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * What owners decide about their tunnels is the same for thousands of them: it is kept once, for as long
 * as a tunnel refers to it. So a tunnel keeps what it began with, whatever its owner decides later.
 */
#include "l2tp/engine.h"

#include <stdlib.h>
#include <string.h>

static struct l2tp_shared_list *bucket(struct l2tp *l, const struct l2tp_tunnel_conf *c)
{
	uint64_t h = l->seed, word;

	for (size_t i = 0; i + sizeof(word) <= sizeof(*c); i += sizeof(word)) {
		memcpy(&word, (const char *)c + i, sizeof(word));
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return &l->shared[(h >> 32) % L2TP_SHARED_BUCKETS];
}

struct l2tp_shared *l2tp_shared_new(struct l2tp *l)
{
	struct l2tp_shared *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->l = l;
	s->refs = 1;
	return s;
}

/* With nothing behind the ends of its texts, so that what is the same compares so. */
static void take(struct l2tp_tunnel_conf *to, const struct l2tp_tunnel_conf *from)
{
	size_t n = strnlen(from->host_name, sizeof(from->host_name) - 1);

	*to = *from;
	to->local_id = 0;
	if (to->secret_len > L2TP_SECRET_MAX)
		to->secret_len = L2TP_SECRET_MAX;
	memset(to->host_name + n, 0, sizeof(to->host_name) - n);
	memset(to->secret + to->secret_len, 0, sizeof(to->secret) - to->secret_len);
}

struct l2tp_shared *l2tp_shared_fill(struct l2tp_shared *own, const struct l2tp_tunnel_conf *conf)
{
	struct l2tp *l = own->l;
	struct l2tp_shared_list *b;
	struct l2tp_shared *other;

	take(&own->conf, conf);
	b = bucket(l, &own->conf);
	LIST_FOREACH (other, b, link) {
		if (memcmp(&other->conf, &own->conf, sizeof(own->conf)) != 0)
			continue;
		other->refs++;
		l2tp_shared_put(own);
		return other;
	}
	l2tp_chan_conf_init(&own->chan, &l->chan_env, own->conf.rws, own->conf.retransmit_first_ms,
	                    own->conf.retransmit_cap_ms);
	LIST_INSERT_HEAD(b, own, link);
	own->listed = true;
	return own;
}

void l2tp_shared_put(struct l2tp_shared *s)
{
	if (--s->refs > 0)
		return;
	if (s->listed)
		LIST_REMOVE(s, link);
	explicit_bzero(&s->conf, sizeof(s->conf));
	free(s);
}
