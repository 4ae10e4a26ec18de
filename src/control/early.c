/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Messages that came before they could be answered. charon has the SA installed that brings a message
 * in, waits for the word that it is there, and then asks for the one by which the answer leaves. With
 * IKEv1 the initiator may send before either, and its SCCRQ would be answered into nothing: a second
 * lost for every dial-in, until it is repeated. So the first few wait for the outbound SA.
 */
#include "control/ipsec_int.h"

#include <stdlib.h>
#include <string.h>

#define EARLY_MAX 4 /* a child: an SCCRQ and its repetitions */

struct early {
	struct early *next;
	struct l2tp_path path;
	size_t len;
	uint8_t msg[];
};

bool early_keep(struct ctl *c, const struct conn *k, const struct dp_punt *p)
{
	struct child *ch = k != NULL ? ipsec_child_of(k, &p->dst, &p->src) : NULL;
	struct early *e, **at;

	if (ch == NULL || ch->any || ch->n_out != 0)
		return false;
	e = ch->n_early < EARLY_MAX ? malloc(sizeof(*e) + p->len) : NULL;
	if (e == NULL)
		return true; /* lost: nothing could be said to it */
	e->path = (struct l2tp_path){.local = p->dst, .remote = p->src, .conn = p->conn};
	e->len = p->len;
	memcpy(e->msg, p->data, p->len);
	e->next = NULL;
	for (at = &ch->early; *at != NULL; at = &(*at)->next)
		;
	*at = e;
	ch->n_early++;
	return true;
}

void early_deliver(struct ctl *c, struct child *ch)
{
	struct early *e;

	while ((e = ch->early) != NULL) {
		ch->early = e->next;
		ch->n_early--;
		if (!ch->latched)
			l2tp_rx(c->l2tp, &e->path, e->msg, e->len, c->now_ms);
		free(e);
	}
}

void early_forget(struct child *ch)
{
	struct early *e;

	while ((e = ch->early) != NULL) {
		ch->early = e->next;
		free(e);
	}
	ch->n_early = 0;
}
