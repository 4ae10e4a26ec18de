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
#define STORE_MAX 256

/* More than this in flight and old numbers could not be told from new ones (5.8). */
#define WINDOW_MAX 16384

struct l2tp_chan_msg {
	struct l2tp_chan_msg *next;
	uint16_t ns, len;
	bool reply;
	uint8_t pkt[];
};

static uint16_t msg_type(const struct l2tp_chan_msg *m)
{
	if (m->len < OFF_MSG_TYPE + 2)
		return L2TP_ZLB;
	return (uint16_t)(m->pkt[OFF_MSG_TYPE] << 8 | m->pkt[OFF_MSG_TYPE + 1]);
}

static uint16_t peer_window(const struct l2tp_channel *ch)
{
	return ch->peer_rws > WINDOW_MAX ? WINDOW_MAX : ch->peer_rws > 0 ? ch->peer_rws : 1;
}

static uint16_t window(const struct l2tp_channel *ch)
{
	uint16_t most = peer_window(ch);

	return ch->urgent || ch->cwnd > most ? most : ch->cwnd;
}

static void transmit(struct l2tp_channel *ch, struct l2tp_chan_msg *m)
{
	struct l2tp_chan_env *env = ch->conf->env;

	/* Nr is that of this moment, also in a retransmission (5.8). */
	l2tp_set_seq(m->pkt, m->ns, ch->nr);
	ch->ack_pending = false;
	if ((int16_t)(m->ns - ch->tx->high) < 0) {
		ch->retransmits++;
		env->stats->retransmits++;
	} else {
		ch->tx->high = (uint16_t)(m->ns + 1);
	}
	env->stats->tx++;
	env->ops->send(ch, m->pkt, m->len);
}

static void pump(struct l2tp_channel *ch, uint64_t now_ms)
{
	struct l2tp_chan_tx *tx = ch->tx;

	while (tx->next_tx != NULL && tx->n_flight < window(ch)) {
		struct l2tp_chan_msg *m = tx->next_tx;

		tx->next_tx = m->next;
		tx->n_flight++;
		transmit(ch, m);
	}
	if (tx->n_flight > 0 && !tx->rto.queued)
		timer_set(ch->conf->env->timers, &tx->rto, now_ms + tx->rto_ms);
}

static void on_rto(struct timer *timer, uint64_t now_ms)
{
	struct l2tp_chan_tx *tx = timer_owner(timer, struct l2tp_chan_tx, rto);
	struct l2tp_channel *ch = tx->ch;
	uint32_t cap_ms = ch->conf->cap_ms;

	if (tx->tries >= ch->retries) {
		if (!ch->conf->env->ops->dead(ch, now_ms))
			return;
		tx->tries = 0;
		tx->since_ms = now_ms;
	} else {
		tx->tries++;
	}
	/* Appendix A: half the window becomes the threshold, and slow start begins anew. */
	ch->ssthresh = ch->cwnd / 2 > 1 ? ch->cwnd / 2 : 1;
	ch->cwnd = 1;
	ch->cwnd_acks = 0;
	tx->rto_ms = tx->rto_ms * 2 < cap_ms ? tx->rto_ms * 2 : cap_ms;
	tx->next_tx = tx->head;
	tx->n_flight = 0;
	pump(ch, now_ms);
}

void l2tp_chan_env_init(struct l2tp_chan_env *env, const struct l2tp_chan_ops *ops,
                        struct timerq *timers, struct l2tp_stats *stats)
{
	*env = (struct l2tp_chan_env){.ops = ops, .timers = timers, .stats = stats};
	slab_init(&env->tx_slab, sizeof(struct l2tp_chan_tx));
}

void l2tp_chan_env_fini(struct l2tp_chan_env *env)
{
	slab_fini(&env->tx_slab);
}

void l2tp_chan_conf_init(struct l2tp_chan_conf *conf, struct l2tp_chan_env *env, uint16_t rws,
                         uint32_t first_ms, uint32_t cap_ms)
{
	conf->env = env;
	conf->rws = rws > 0 ? rws : L2TP_RWS_DEFAULT;
	conf->first_ms = first_ms > 0 ? first_ms : 1000;
	conf->cap_ms = cap_ms > conf->first_ms ? cap_ms : conf->first_ms;
}

void l2tp_chan_init(struct l2tp_channel *ch, const struct l2tp_chan_conf *conf, uint8_t retries,
                    uint16_t peer_tid, uint16_t peer_rws)
{
	*ch = (struct l2tp_channel){.conf = conf, .cwnd = 1, .retries = retries};
	l2tp_chan_set_peer(ch, peer_tid, peer_rws);
}

/* A queue for the first message that is not acknowledged. False: no memory. */
static bool tx_begin(struct l2tp_channel *ch, uint64_t now_ms)
{
	struct l2tp_chan_tx *tx = slab_get(&ch->conf->env->tx_slab);

	if (tx == NULL)
		return false;
	tx->ch = ch;
	timer_init(&tx->rto, on_rto);
	tx->since_ms = now_ms;
	tx->rto_ms = ch->conf->first_ms;
	tx->high = ch->una;
	ch->tx = tx;
	return true;
}

/* Messages that are left in it are dropped. */
static void tx_end(struct l2tp_channel *ch)
{
	struct l2tp_chan_env *env = ch->conf->env;
	struct l2tp_chan_tx *tx = ch->tx;

	if (tx == NULL)
		return;
	timer_cancel(env->timers, &tx->rto);
	while (tx->head != NULL) {
		struct l2tp_chan_msg *m = tx->head;

		tx->head = m->next;
		free(m);
	}
	ch->tx = NULL;
	slab_put(&env->tx_slab, tx);
}

static void store_end(struct l2tp_channel *ch)
{
	for (uint16_t i = 0; ch->store != NULL && i < ch->store->size; i++)
		free(ch->store->slot[i].pkt);
	free(ch->store);
	ch->store = NULL;
}

void l2tp_chan_close(struct l2tp_channel *ch)
{
	ch->closed = true;
	tx_end(ch);
	store_end(ch);
}

static struct l2tp_chan_msg *msg_new(struct l2tp_channel *ch, const uint8_t *pkt, size_t len,
                                     uint64_t now_ms)
{
	struct l2tp_chan_msg *m;

	if (len > L2TP_MSG_MAX || (ch->tx == NULL && !tx_begin(ch, now_ms)))
		return NULL;
	m = malloc(sizeof(*m) + len);
	if (m == NULL) {
		if (ch->tx->n_queue == 0)
			tx_end(ch);
		return NULL;
	}
	m->next = NULL;
	m->ns = l2tp_chan_ns(ch);
	m->len = (uint16_t)len;
	memcpy(m->pkt, pkt, len);
	return m;
}

int l2tp_chan_send(struct l2tp_channel *ch, const uint8_t *pkt, size_t len, bool reply,
                   uint64_t now_ms)
{
	struct l2tp_chan_msg *m;
	struct l2tp_chan_tx *tx;

	if (ch->closed)
		return -EPIPE;
	m = msg_new(ch, pkt, len, now_ms);
	if (m == NULL) {
		ch->conf->env->ops->nomem(ch);
		return -ENOMEM;
	}
	m->reply = reply;
	tx = ch->tx;
	if (tx->tail != NULL)
		tx->tail->next = m;
	else
		tx->head = m;
	tx->tail = m;
	if (tx->next_tx == NULL)
		tx->next_tx = m;
	tx->n_queue++;
	tx->n_replies += m->reply;
	pump(ch, now_ms);
	return 0;
}

/* Forgets messages that no peer can have seen: their numbers are free again. */
static void drop_unsent(struct l2tp_chan_tx *tx)
{
	struct l2tp_chan_msg *last = NULL, *m = tx->head;

	while (m != NULL && (int16_t)(m->ns - tx->high) < 0) {
		last = m;
		m = m->next;
	}
	if (tx->next_tx != NULL && (int16_t)(tx->next_tx->ns - tx->high) >= 0)
		tx->next_tx = NULL;
	if (last != NULL)
		last->next = NULL;
	else
		tx->head = NULL;
	tx->tail = last;
	while (m != NULL) {
		struct l2tp_chan_msg *gone = m;

		m = m->next;
		tx->n_queue--;
		tx->n_replies -= gone->reply;
		free(gone);
	}
}

void l2tp_chan_hurry(struct l2tp_channel *ch, uint64_t now_ms)
{
	ch->urgent = true;
	if (ch->tx != NULL)
		pump(ch, now_ms);
}

int l2tp_chan_send_last(struct l2tp_channel *ch, const uint8_t *pkt, size_t len, uint64_t now_ms)
{
	if (ch->closed)
		return -EPIPE;
	if (ch->tx != NULL)
		drop_unsent(ch->tx);
	ch->urgent = true;
	return l2tp_chan_send(ch, pkt, len, false, now_ms);
}

/* Appendix A.1: exponential growth up to the threshold, then one more a whole window. */
static void grow_window(struct l2tp_channel *ch)
{
	if (ch->cwnd >= peer_window(ch))
		return;
	if (ch->cwnd < ch->ssthresh) {
		ch->cwnd++;
	} else if (++ch->cwnd_acks >= ch->cwnd) {
		ch->cwnd_acks = 0;
		ch->cwnd++;
	}
}

/* True when that was the last message that we have waited for. */
static bool rx_ack(struct l2tp_channel *ch, uint16_t nr, uint64_t now_ms)
{
	struct l2tp_chan_tx *tx = ch->tx;
	uint16_t n = (uint16_t)(nr - ch->una);

	if (n == 0 || n > (uint16_t)(l2tp_chan_high(ch) - ch->una))
		return false; /* old news, or something that we never sent */
	ch->una = nr;
	while (n-- > 0) {
		struct l2tp_chan_msg *m = tx->head;

		tx->head = m->next;
		if (tx->next_tx == m)
			tx->next_tx = m->next;
		else
			tx->n_flight--;
		tx->n_queue--;
		tx->n_replies -= m->reply;
		free(m);
		grow_window(ch);
	}
	if (tx->head == NULL) {
		tx_end(ch);
		return true;
	}
	tx->tries = 0;
	tx->rto_ms = ch->conf->first_ms;
	timer_cancel(ch->conf->env->timers, &tx->rto);
	pump(ch, now_ms);
	return false;
}

static void deliver(struct l2tp_channel *ch, const uint8_t *pkt, size_t len)
{
	ch->nr++;
	ch->ack_pending = true;
	ch->conf->env->ops->deliver(ch, pkt, len);
}

static void deliver_stored(struct l2tp_channel *ch)
{
	while (ch->store != NULL) {
		struct l2tp_chan_slot *s = &ch->store->slot[ch->nr % ch->store->size];
		uint8_t *pkt = s->pkt;
		uint16_t len = s->len;

		if (pkt == NULL)
			return;
		s->pkt = NULL;
		if (--ch->store->n == 0)
			store_end(ch);
		deliver(ch, pkt, len);
		free(pkt);
	}
}

/* How many messages ahead of nr may be kept. */
static uint16_t keep(const struct l2tp_channel *ch)
{
	return ch->conf->rws < STORE_MAX ? ch->conf->rws : STORE_MAX;
}

static void store_begin(struct l2tp_channel *ch)
{
	uint16_t size = 1;

	/* A power of two, so that slots follow one another where Ns wraps. */
	while (size < keep(ch))
		size *= 2;
	ch->store = calloc(1, sizeof(*ch->store) + size * sizeof(ch->store->slot[0]));
	if (ch->store != NULL)
		ch->store->size = size;
}

/* Without memory it is not stored, and not acknowledged: it comes again. */
static void store(struct l2tp_channel *ch, uint16_t ns, const uint8_t *pkt, size_t len)
{
	struct l2tp_stats *stats = ch->conf->env->stats;
	struct l2tp_chan_slot *s;

	if (ch->store == NULL)
		store_begin(ch);
	if (ch->store == NULL)
		return;
	s = &ch->store->slot[ns % ch->store->size];
	if (s->pkt != NULL) {
		ch->rx_duplicate++;
		stats->rx_duplicate++;
		return;
	}
	s->pkt = malloc(len);
	if (s->pkt == NULL) {
		if (ch->store->n == 0)
			store_end(ch);
		return;
	}
	memcpy(s->pkt, pkt, len);
	s->len = (uint16_t)len;
	ch->store->n++;
	ch->rx_out_of_order++;
	stats->rx_out_of_order++;
}

static void rx_message(struct l2tp_channel *ch, uint16_t ns, const uint8_t *pkt, size_t len)
{
	uint16_t ahead = (uint16_t)(ns - ch->nr);
	struct l2tp_stats *stats = ch->conf->env->stats;

	if (ahead == 0) {
		deliver(ch, pkt, len);
		deliver_stored(ch);
	} else if (ahead >= 0x8000) {
		/* The last one received and the 32767 before it (5.8): the ack may have been lost. */
		ch->rx_duplicate++;
		stats->rx_duplicate++;
		ch->ack_pending = true;
	} else if (ahead < keep(ch)) {
		store(ch, ns, pkt, len);
	} else {
		ch->rx_out_of_window++;
		stats->rx_out_of_window++;
	}
}

void l2tp_chan_rx(struct l2tp_channel *ch, const struct l2tp_hdr *h, const uint8_t *pkt, size_t len,
                  uint64_t now_ms)
{
	bool drained;

	if (ch->closed || len > L2TP_MSG_MAX)
		return;
	drained = rx_ack(ch, h->nr, now_ms);
	if (h->data_len == 0) {
		ch->rx_zlb++;
		ch->conf->env->stats->rx_zlb++;
	} else {
		rx_message(ch, h->ns, pkt, len);
	}
	if (ch->closed)
		return;
	l2tp_chan_flush(ch);
	if (drained && ch->tx == NULL)
		ch->conf->env->ops->drained(ch);
}

void l2tp_chan_flush(struct l2tp_channel *ch)
{
	struct l2tp_chan_env *env = ch->conf->env;
	uint8_t zlb[HDR_LEN];

	if (!ch->ack_pending || ch->closed)
		return;
	ch->ack_pending = false;
	ch->tx_zlb++;
	env->stats->tx_zlb++;
	env->stats->tx++;
	env->ops->send(ch, zlb, l2tp_build_zlb(zlb, ch->peer_tid, l2tp_chan_high(ch), ch->nr));
}

void l2tp_chan_accept_first(struct l2tp_channel *ch)
{
	ch->nr = 1;
	ch->ack_pending = true;
}

void l2tp_chan_first_again(struct l2tp_channel *ch)
{
	ch->rx_duplicate++;
	ch->conf->env->stats->rx_duplicate++;
	ch->ack_pending = true;
	if (ch->una != l2tp_chan_high(ch))
		transmit(ch, ch->tx->head);
	l2tp_chan_flush(ch);
}

void l2tp_chan_set_peer(struct l2tp_channel *ch, uint16_t peer_tid, uint16_t peer_rws)
{
	ch->peer_tid = peer_tid;
	ch->peer_rws = peer_rws;
	ch->ssthresh = peer_window(ch);
	for (struct l2tp_chan_msg *m = ch->tx != NULL ? ch->tx->head : NULL; m != NULL;
	     m = m->next) {
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
	return l2tp_chan_queued(ch) == 1 && msg_type(ch->tx->head) == type;
}

uint32_t l2tp_chan_queued(const struct l2tp_channel *ch)
{
	return ch->tx != NULL ? ch->tx->n_queue : 0;
}

uint32_t l2tp_chan_replies(const struct l2tp_channel *ch)
{
	return ch->tx != NULL ? ch->tx->n_replies : 0;
}

uint16_t l2tp_chan_ns(const struct l2tp_channel *ch)
{
	return (uint16_t)(ch->una + l2tp_chan_queued(ch));
}

uint16_t l2tp_chan_high(const struct l2tp_channel *ch)
{
	return ch->tx != NULL ? ch->tx->high : ch->una;
}
