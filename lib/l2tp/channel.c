/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "l2tp/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Offsets in a control message: header with length and sequence numbers (3.1), first AVP (4.1). */
#define OFF_TUNNEL_ID 4
#define OFF_MSG_TYPE  18
#define HDR_LEN       12

/*
 * The most messages kept out of order, whatever window we offer: what a sender loses beyond that it
 * sends again, and a peer cannot make a tunnel hold more than this many messages.
 */
#define RING_MAX 256

/* More than this in flight and old numbers could not be told from new ones (5.8). */
#define WINDOW_MAX 16384

struct l2tp_chan_msg {
	struct l2tp_chan_msg *next;
	uint16_t ns, len;
	bool reply;
	uint8_t pkt[];
};

struct l2tp_chan_slot {
	uint8_t *pkt; /* NULL: free */
	uint16_t len;
};

static uint16_t msg_type(const struct l2tp_chan_msg *m)
{
	if (m->len < OFF_MSG_TYPE + 2)
		return L2TP_ZLB;
	return (uint16_t)(m->pkt[OFF_MSG_TYPE] << 8 | m->pkt[OFF_MSG_TYPE + 1]);
}

static uint16_t window(const struct l2tp_channel *ch)
{
	return ch->urgent || ch->cwnd > ch->peer_rws ? ch->peer_rws : ch->cwnd;
}

static void transmit(struct l2tp_channel *ch, struct l2tp_chan_msg *m)
{
	/* Nr is that of this moment, also in a retransmission (5.8). */
	l2tp_set_seq(m->pkt, m->ns, ch->nr);
	ch->ack_pending = false;
	if ((int16_t)(m->ns - ch->high) < 0) {
		ch->retransmits++;
		ch->env->stats->retransmits++;
	} else {
		ch->high = (uint16_t)(m->ns + 1);
	}
	ch->env->stats->tx++;
	ch->env->ops->send(ch->arg, m->pkt, m->len);
}

static void pump(struct l2tp_channel *ch, uint64_t now_ms)
{
	while (ch->next_tx != NULL && ch->n_flight < window(ch)) {
		struct l2tp_chan_msg *m = ch->next_tx;

		ch->next_tx = m->next;
		ch->n_flight++;
		transmit(ch, m);
	}
	if (ch->n_flight > 0 && !ch->rto.queued)
		timer_set(ch->env->timers, &ch->rto, now_ms + ch->rto_ms);
}

static void on_rto(struct timer *timer, uint64_t now_ms)
{
	struct l2tp_channel *ch = timer_owner(timer, struct l2tp_channel, rto);

	if (ch->nomem || ch->tries >= ch->retries) {
		if (!ch->env->ops->dead(ch->arg, ch->nomem, now_ms))
			return;
		ch->tries = 0;
	} else {
		ch->tries++;
	}
	/* Appendix A: half the window becomes the threshold, and slow start begins anew. */
	ch->ssthresh = ch->cwnd / 2 > 1 ? ch->cwnd / 2 : 1;
	ch->cwnd = 1;
	ch->cwnd_acks = 0;
	ch->rto_ms = ch->rto_ms * 2 < ch->cap_ms ? ch->rto_ms * 2 : ch->cap_ms;
	ch->next_tx = ch->head;
	ch->n_flight = 0;
	pump(ch, now_ms);
}

void l2tp_chan_init(struct l2tp_channel *ch, const struct l2tp_chan_conf *conf,
                    const struct l2tp_chan_env *env, void *arg)
{
	*ch = (struct l2tp_channel){
	        .env = env,
	        .arg = arg,
	        .rws = conf->rws > 0 ? conf->rws : L2TP_RWS_DEFAULT,
	        .cwnd = 1,
	        .retries = conf->retries,
	        .first_ms = conf->first_ms > 0 ? conf->first_ms : 1000,
	        .cap_ms = conf->cap_ms,
	};
	if (ch->cap_ms < ch->first_ms)
		ch->cap_ms = ch->first_ms;
	ch->rto_ms = ch->first_ms;
	ch->keep = ch->rws < RING_MAX ? ch->rws : RING_MAX;
	/* A power of two, so that slots follow one another where Ns wraps. */
	for (ch->ring_size = 1; ch->ring_size < ch->keep;)
		ch->ring_size *= 2;
	timer_init(&ch->rto, on_rto);
	l2tp_chan_set_peer(ch, conf->peer_tid, conf->peer_rws);
}

void l2tp_chan_close(struct l2tp_channel *ch)
{
	ch->closed = true;
	timer_cancel(ch->env->timers, &ch->rto);
	while (ch->head != NULL) {
		struct l2tp_chan_msg *m = ch->head;

		ch->head = m->next;
		free(m);
	}
	ch->tail = ch->next_tx = NULL;
	ch->n_queue = ch->n_flight = ch->n_replies = 0;
	for (uint16_t i = 0; ch->ring != NULL && i < ch->ring_size; i++)
		free(ch->ring[i].pkt);
	free(ch->ring);
	ch->ring = NULL;
	ch->n_stored = 0;
}

int l2tp_chan_send(struct l2tp_channel *ch, const uint8_t *pkt, size_t len, bool reply,
                   uint64_t now_ms)
{
	struct l2tp_chan_msg *m;

	if (ch->closed)
		return -EPIPE;
	m = len <= L2TP_MSG_MAX ? malloc(sizeof(*m) + len) : NULL;
	if (m == NULL) {
		/* Not from here: the caller is in the middle of something. */
		ch->nomem = true;
		timer_set(ch->env->timers, &ch->rto, now_ms);
		return -ENOMEM;
	}
	m->next = NULL;
	m->ns = ch->ns++;
	m->len = (uint16_t)len;
	m->reply = reply;
	memcpy(m->pkt, pkt, len);
	if (ch->tail != NULL)
		ch->tail->next = m;
	else
		ch->head = m;
	ch->tail = m;
	if (ch->next_tx == NULL)
		ch->next_tx = m;
	ch->n_queue++;
	ch->n_replies += m->reply;
	ch->emptied = false;
	pump(ch, now_ms);
	return 0;
}

/* Forgets messages that no peer can have seen: their numbers are free again. */
static void drop_unsent(struct l2tp_channel *ch)
{
	struct l2tp_chan_msg *last = NULL, *m = ch->head;

	while (m != NULL && (int16_t)(m->ns - ch->high) < 0) {
		last = m;
		m = m->next;
	}
	if (ch->next_tx != NULL && (int16_t)(ch->next_tx->ns - ch->high) >= 0)
		ch->next_tx = NULL;
	if (last != NULL)
		last->next = NULL;
	else
		ch->head = NULL;
	ch->tail = last;
	while (m != NULL) {
		struct l2tp_chan_msg *gone = m;

		m = m->next;
		ch->n_queue--;
		ch->n_replies -= gone->reply;
		free(gone);
	}
	ch->ns = ch->high;
}

void l2tp_chan_hurry(struct l2tp_channel *ch, uint64_t now_ms)
{
	ch->urgent = true;
	if (!ch->closed)
		pump(ch, now_ms);
}

int l2tp_chan_send_last(struct l2tp_channel *ch, const uint8_t *pkt, size_t len, uint64_t now_ms)
{
	if (ch->closed)
		return -EPIPE;
	drop_unsent(ch);
	ch->urgent = true;
	return l2tp_chan_send(ch, pkt, len, false, now_ms);
}

/* Appendix A.1: exponential growth up to the threshold, then one more a whole window. */
static void grow_window(struct l2tp_channel *ch)
{
	if (ch->cwnd >= ch->peer_rws)
		return;
	if (ch->cwnd < ch->ssthresh) {
		ch->cwnd++;
	} else if (++ch->cwnd_acks >= ch->cwnd) {
		ch->cwnd_acks = 0;
		ch->cwnd++;
	}
}

static void rx_ack(struct l2tp_channel *ch, uint16_t nr, uint64_t now_ms)
{
	uint16_t n = (uint16_t)(nr - ch->una);

	if (n == 0 || n > (uint16_t)(ch->high - ch->una))
		return; /* old news, or something that we never sent */
	ch->una = nr;
	while (n-- > 0) {
		struct l2tp_chan_msg *m = ch->head;

		ch->head = m->next;
		if (ch->next_tx == m)
			ch->next_tx = m->next;
		else
			ch->n_flight--;
		ch->n_queue--;
		ch->n_replies -= m->reply;
		free(m);
		grow_window(ch);
	}
	if (ch->head == NULL) {
		ch->tail = NULL;
		ch->emptied = true;
	}
	ch->tries = 0;
	ch->rto_ms = ch->first_ms;
	if (!ch->nomem)
		timer_cancel(ch->env->timers, &ch->rto);
	pump(ch, now_ms);
}

static void deliver(struct l2tp_channel *ch, const uint8_t *pkt, size_t len)
{
	ch->nr++;
	ch->ack_pending = true;
	ch->env->ops->deliver(ch->arg, pkt, len);
}

static void deliver_stored(struct l2tp_channel *ch)
{
	while (!ch->closed && ch->n_stored > 0) {
		struct l2tp_chan_slot *s = &ch->ring[ch->nr % ch->ring_size];
		uint8_t *pkt = s->pkt;

		if (pkt == NULL)
			return;
		s->pkt = NULL;
		ch->n_stored--;
		deliver(ch, pkt, s->len);
		free(pkt);
	}
}

static void store(struct l2tp_channel *ch, uint16_t ns, const uint8_t *pkt, size_t len)
{
	struct l2tp_chan_slot *s;

	if (ch->ring == NULL)
		ch->ring = calloc(ch->ring_size, sizeof(*ch->ring));
	if (ch->ring == NULL)
		return; /* not stored, not acknowledged: it comes again */
	s = &ch->ring[ns % ch->ring_size];
	if (s->pkt != NULL) {
		ch->rx_duplicate++;
		ch->env->stats->rx_duplicate++;
		return;
	}
	s->pkt = malloc(len);
	if (s->pkt == NULL)
		return;
	memcpy(s->pkt, pkt, len);
	s->len = (uint16_t)len;
	ch->n_stored++;
	ch->rx_out_of_order++;
	ch->env->stats->rx_out_of_order++;
}

static void rx_message(struct l2tp_channel *ch, uint16_t ns, const uint8_t *pkt, size_t len)
{
	uint16_t ahead = (uint16_t)(ns - ch->nr);

	if (ahead == 0) {
		deliver(ch, pkt, len);
		deliver_stored(ch);
	} else if (ahead >= 0x8000) {
		/* The last one received and the 32767 before it (5.8): the ack may have been lost. */
		ch->rx_duplicate++;
		ch->env->stats->rx_duplicate++;
		ch->ack_pending = true;
	} else if (ahead < ch->keep) {
		store(ch, ns, pkt, len);
	} else {
		ch->rx_out_of_window++;
		ch->env->stats->rx_out_of_window++;
	}
}

void l2tp_chan_rx(struct l2tp_channel *ch, const struct l2tp_hdr *h, const uint8_t *pkt, size_t len,
                  uint64_t now_ms)
{
	if (ch->closed || len > L2TP_MSG_MAX)
		return;
	rx_ack(ch, h->nr, now_ms);
	if (h->data_len == 0) {
		ch->rx_zlb++;
		ch->env->stats->rx_zlb++;
	} else {
		rx_message(ch, h->ns, pkt, len);
	}
	if (ch->closed)
		return;
	l2tp_chan_flush(ch);
	if (ch->emptied) {
		ch->emptied = false;
		ch->env->ops->drained(ch->arg);
	}
}

void l2tp_chan_flush(struct l2tp_channel *ch)
{
	uint8_t zlb[HDR_LEN];

	if (!ch->ack_pending || ch->closed)
		return;
	ch->ack_pending = false;
	ch->tx_zlb++;
	ch->env->stats->tx_zlb++;
	ch->env->stats->tx++;
	ch->env->ops->send(ch->arg, zlb, l2tp_build_zlb(zlb, ch->peer_tid, ch->high, ch->nr));
}

void l2tp_chan_accept_first(struct l2tp_channel *ch)
{
	ch->nr = 1;
	ch->ack_pending = true;
}

void l2tp_chan_first_again(struct l2tp_channel *ch)
{
	ch->rx_duplicate++;
	ch->env->stats->rx_duplicate++;
	ch->ack_pending = true;
	if (ch->una != ch->high)
		transmit(ch, ch->head);
	l2tp_chan_flush(ch);
}

void l2tp_chan_set_peer(struct l2tp_channel *ch, uint16_t peer_tid, uint16_t peer_rws)
{
	ch->peer_tid = peer_tid;
	ch->peer_rws = peer_rws > WINDOW_MAX ? WINDOW_MAX : peer_rws > 0 ? peer_rws : 1;
	ch->ssthresh = ch->peer_rws;
	for (struct l2tp_chan_msg *m = ch->head; m != NULL; m = m->next) {
		uint8_t *id = &m->pkt[OFF_TUNNEL_ID];

		if (m->len < HDR_LEN || msg_type(m) == L2TP_SCCRQ || (id[0] | id[1]) != 0)
			continue;
		id[0] = (uint8_t)(peer_tid >> 8);
		id[1] = (uint8_t)peer_tid;
	}
}

void l2tp_chan_set_retries(struct l2tp_channel *ch, uint8_t retries)
{
	ch->retries = retries;
}

bool l2tp_chan_only(const struct l2tp_channel *ch, uint16_t type)
{
	return ch->n_queue == 1 && msg_type(ch->head) == type;
}
