/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Accessors. */
#include "l2tp/engine.h"

#include <stdio.h>
#include <string.h>

struct l2tp_tunnel *l2tp_tunnel_by_id(struct l2tp *l, uint16_t local_id)
{
	return l->tunnels[local_id];
}

struct l2tp_call *l2tp_call_by_id(struct l2tp *l, uint16_t local_id)
{
	return l->calls[local_id];
}

struct l2tp_tunnel *l2tp_call_tunnel(const struct l2tp_call *c)
{
	return c->t;
}

uint16_t l2tp_tunnel_peer_id(const struct l2tp_tunnel *t)
{
	return t->chan.peer_tid;
}

uint16_t l2tp_call_peer_id(const struct l2tp_call *c)
{
	return c->peer_id;
}

struct l2tp_call *l2tp_call_next(const struct l2tp_tunnel *t, const struct l2tp_call *prev)
{
	/* No call has the id 0. */
	return l2tp_of(t)->calls[prev == NULL ? t->first_call : prev->next];
}

const struct l2tp_path *l2tp_tunnel_path(const struct l2tp_tunnel *t)
{
	return &t->path;
}

void *l2tp_tunnel_user(const struct l2tp_tunnel *t)
{
	return t->user;
}

void *l2tp_call_user(const struct l2tp_call *c)
{
	return c->user;
}

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from != NULL ? from : "");
}

/* 0: never; what came up at 0 did so at 1. */
static uint64_t established_ms(bool was_up, uint64_t created_ms, uint32_t up_after_ms)
{
	if (!was_up)
		return 0;
	return created_ms + up_after_ms > 0 ? created_ms + up_after_ms : 1;
}

void l2tp_tunnel_info(const struct l2tp_tunnel *t, struct l2tp_tunnel_info *out)
{
	const struct l2tp_channel *ch = &t->chan;
	uint32_t queued = l2tp_chan_queued(ch);

	*out = (struct l2tp_tunnel_info){
	        .local_id = t->id,
	        .peer_id = t->chan.peer_tid,
	        .state = t->state,
	        .initiated_by_us = t->initiator,
	        .authenticated = t->authenticated,
	        .peer_firmware = t->peer_firmware,
	        .peer_version = t->peer_version,
	        .peer_revision = t->peer_revision,
	        .peer_framing = t->peer_framing,
	        .peer_bearer = t->peer_bearer,
	        .rws = ch->conf->rws,
	        .peer_rws = t->chan.peer_rws,
	        .cwnd = ch->cwnd,
	        .ssthresh = ch->ssthresh,
	        .ns = l2tp_chan_ns(ch),
	        .nr = ch->nr,
	        .peer_nr = ch->una,
	        .send_queue = queued < UINT16_MAX ? (uint16_t)queued : UINT16_MAX,
	        .rx_zlb = ch->rx_zlb,
	        .tx_zlb = ch->tx_zlb,
	        .rx_duplicate = ch->rx_duplicate,
	        .rx_out_of_order = ch->rx_out_of_order,
	        .rx_out_of_window = ch->rx_out_of_window,
	        .retransmits = ch->retransmits,
	        .calls = t->n_calls,
	        .calls_total = t->calls_total,
	        .calls_failed = t->calls_failed,
	        .calls_established = t->calls_established,
	        .created_ms = t->created_ms,
	        .established_ms = established_ms(t->was_up, t->created_ms, t->up_after_ms),
	        .single_shot = l2tp_conf_of(t)->single_shot,
	};
	copy(out->peer_host, sizeof(out->peer_host), t->peer_host);
	copy(out->peer_vendor, sizeof(out->peer_vendor), t->peer_vendor);
}

void l2tp_call_info_get(const struct l2tp_call *c, struct l2tp_call_info *out)
{
	*out = (struct l2tp_call_info){
	        .local_id = c->id,
	        .peer_id = c->peer_id,
	        .state = c->state,
	        .lns = c->lns,
	        .serial = c->serial,
	        .bearer_type = c->bearer_type,
	        .framing_type = c->framing_type,
	        .tx_speed = c->tx_speed,
	        .rx_speed = c->rx_speed,
	        .physical_channel = c->physical_channel,
	        .sequencing = c->sequencing || c->sequencing_required,
	        .sequencing_required = c->sequencing_required,
	        .created_ms = c->created_ms,
	        .established_ms = established_ms(c->was_up, c->created_ms, c->up_after_ms),
	};
	copy(out->calling_number, sizeof(out->calling_number),
	     l2tp_call_number(c, L2TP_NR_CALLING));
	copy(out->called_number, sizeof(out->called_number), l2tp_call_number(c, L2TP_NR_CALLED));
	copy(out->sub_address, sizeof(out->sub_address), l2tp_call_number(c, L2TP_NR_SUB_ADDRESS));
	copy(out->private_group, sizeof(out->private_group),
	     l2tp_call_number(c, L2TP_NR_PRIVATE_GROUP));
}

void l2tp_stats_get(const struct l2tp *l, struct l2tp_stats *out)
{
	*out = l->stats;
}

void l2tp_count(const struct l2tp *l, uint32_t *tunnels, uint32_t *calls, uint32_t *lingering)
{
	*tunnels = l->n_tunnels;
	*calls = l->n_calls;
	*lingering = l->n_linger;
}

struct l2tp_call *l2tp_tunnel_first_call(const struct l2tp_tunnel *t)
{
	return l2tp_call_next(t, NULL);
}
