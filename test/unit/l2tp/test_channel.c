/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The reliable channel alone: RFC 2661 5.8 and appendix A. */
#include "engine_env.h"
#include "l2tp/channel.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIRE_MAX 256
#define SENT_MAX 4096

struct end {
	struct timerq q;
	struct l2tp_stats stats;
	struct l2tp_chan_env chan_env;
	struct l2tp_chan_conf conf;
	struct l2tp_channel ch;
	uint64_t now;
	/* what it sent: Ns (or -1 for an acknowledgement), Nr, its number */
	struct {
		int ns;
		uint16_t nr;
		uint32_t number;
	} sent[SENT_MAX];
	unsigned n_sent;
	uint32_t got[SENT_MAX]; /* numbers delivered, in order */
	unsigned n_got;
	unsigned drained, died;
	unsigned again; /* rounds of retransmissions that dead still grants */
	bool reply; /* answer each message with one */
	bool close_on_deliver;
	unsigned nomem; /* messages that could not be stored */
	struct end *peer; /* where datagrams go, or NULL */
	unsigned (*fate)(struct end *e); /* copies to deliver; NULL: one */
	uint32_t rnd;
	/* datagrams on their way to this end */
	struct {
		uint8_t pkt[64];
		size_t len;
		uint64_t at;
		bool used;
	} wire[WIRE_MAX];
};

static struct end *end_of(struct l2tp_channel *ch)
{
	return (struct end *)((uintptr_t)ch - offsetof(struct end, ch));
}

static void put(struct end *e, uint32_t number)
{
	struct l2tp_build b;
	uint8_t buf[64];

	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_ICRQ, 5, 0);
	l2tp_build_u32(&b, L2TP_AVP_CALL_SERIAL, number);
	CU_ASSERT_EQUAL(l2tp_chan_send(&e->ch, buf, l2tp_build_end(&b), false, e->now), 0);
}

static uint32_t number_of(const uint8_t *pkt, size_t len)
{
	struct l2tp_msg *m = malloc(sizeof(*m));
	uint32_t n;

	l2tp_msg_parse(pkt, len, NULL, 0, m, NULL);
	n = m->call_serial;
	free(m);
	return n;
}

static uint32_t rnd(struct end *e)
{
	e->rnd = e->rnd * 1664525u + 1013904223u;
	return e->rnd >> 8;
}

static void on_send(struct l2tp_channel *ch, const uint8_t *pkt, size_t len)
{
	struct end *e = end_of(ch);
	unsigned copies = e->fate != NULL ? e->fate(e) : 1;
	struct l2tp_hdr h;

	CU_ASSERT_EQUAL_FATAL(l2tp_hdr_parse(pkt, len, &h), 0);
	CU_ASSERT_EQUAL(h.tunnel_id, 5);
	if (e->n_sent < SENT_MAX) {
		e->sent[e->n_sent].ns = h.data_len > 0 ? h.ns : -1;
		e->sent[e->n_sent].nr = h.nr;
		e->sent[e->n_sent].number = h.data_len > 0 ? number_of(pkt, len) : 0;
		e->n_sent++;
	}
	for (unsigned i = 0; e->peer != NULL && i < WIRE_MAX && copies > 0; i++) {
		if (e->peer->wire[i].used)
			continue;
		e->peer->wire[i].used = true;
		e->peer->wire[i].len = len;
		e->peer->wire[i].at = e->now + 1 + (e->fate != NULL ? rnd(e) % 40 : 10);
		memcpy(e->peer->wire[i].pkt, pkt, len);
		copies--;
	}
}

static void on_deliver(struct l2tp_channel *ch, const uint8_t *pkt, size_t len)
{
	struct end *e = end_of(ch);

	e->got[e->n_got++ % SENT_MAX] = number_of(pkt, len);
	if (e->reply)
		put(e, number_of(pkt, len));
	if (e->close_on_deliver)
		l2tp_chan_close(&e->ch);
}

static void on_drained(struct l2tp_channel *ch)
{
	struct end *e = end_of(ch);

	e->drained++;
}

static bool on_dead(struct l2tp_channel *ch, uint64_t now_ms)
{
	struct end *e = end_of(ch);

	e->died++;
	CU_ASSERT_EQUAL(now_ms, e->now);
	if (e->again == 0)
		return false;
	e->again--;
	return true;
}

static void on_nomem(struct l2tp_channel *ch)
{
	end_of(ch)->nomem++;
}

static const struct l2tp_chan_ops ops = {
        .send = on_send,
        .deliver = on_deliver,
        .drained = on_drained,
        .dead = on_dead,
        .nomem = on_nomem,
};

static struct end *end_new(uint16_t rws, uint16_t peer_rws, uint8_t retries)
{
	struct end *e = calloc(1, sizeof(*e));

	e->now = 1;
	e->rnd = 12345;
	l2tp_chan_env_init(&e->chan_env, &ops, &e->q, &e->stats);
	l2tp_chan_conf_init(&e->conf, &e->chan_env, rws, 1000, 8000);
	l2tp_chan_init(&e->ch, &e->conf, retries, 5, peer_rws);
	return e;
}

static void end_free(struct end *e)
{
	l2tp_chan_close(&e->ch);
	l2tp_chan_close(&e->ch);
	CU_ASSERT_EQUAL(e->q.n, 0);
	CU_ASSERT_PTR_NULL(e->ch.tx);
	CU_ASSERT_PTR_NULL(e->ch.store);
	l2tp_chan_env_fini(&e->chan_env);
	free(e);
}

static void run(struct end *e, uint64_t until)
{
	while (timerq_next(&e->q) <= until) {
		e->now = timerq_next(&e->q) > e->now ? timerq_next(&e->q) : e->now;
		timerq_run(&e->q, e->now, 0);
	}
	e->now = until;
}

/* A message from the peer, or with number 0 an acknowledgement. */
static void rx(struct end *e, uint16_t ns, uint16_t nr, uint32_t number)
{
	struct l2tp_build b;
	struct l2tp_hdr h;
	uint8_t buf[64];
	size_t len = 12;

	if (number == 0) {
		l2tp_build_zlb(buf, 9, ns, nr);
	} else {
		l2tp_build_begin(&b, buf, sizeof(buf), L2TP_ICRQ, 9, 0);
		l2tp_build_u32(&b, L2TP_AVP_CALL_SERIAL, number);
		len = l2tp_build_end(&b);
		l2tp_set_seq(buf, ns, nr);
	}
	CU_ASSERT_EQUAL_FATAL(l2tp_hdr_parse(buf, len, &h), 0);
	l2tp_chan_rx(&e->ch, &h, buf, len, e->now);
}

static void test_in_order(void)
{
	struct end *e = end_new(4, 4, 5);

	rx(e, 0, 0, 1);
	CU_ASSERT_EQUAL(e->n_got, 1);
	CU_ASSERT_EQUAL(e->n_sent, 1);
	CU_ASSERT_EQUAL(e->sent[0].ns, -1);
	CU_ASSERT_EQUAL(e->sent[0].nr, 1);
	/* An answer carries the acknowledgement: no ZLB beside it. */
	e->reply = true;
	rx(e, 1, 0, 2);
	CU_ASSERT_EQUAL(e->n_sent, 2);
	CU_ASSERT_EQUAL(e->sent[1].ns, 0);
	CU_ASSERT_EQUAL(e->sent[1].nr, 2);
	/* A ZLB takes no number and is not acknowledged. */
	rx(e, 2, 1, 0);
	rx(e, 2, 1, 0);
	CU_ASSERT_EQUAL(e->n_sent, 2);
	CU_ASSERT_EQUAL(e->drained, 1);
	CU_ASSERT_EQUAL(e->ch.nr, 2);
	CU_ASSERT_EQUAL(e->stats.rx_zlb, 2);
	end_free(e);
}

static void test_duplicates(void)
{
	struct end *e = end_new(4, 4, 5);

	for (uint16_t i = 0; i < 10; i++)
		rx(e, i, 0, i + 1u);
	e->n_sent = 0;
	rx(e, 9, 0, 10);
	rx(e, 0, 0, 1);
	rx(e, (uint16_t)(10 - 32768), 0, 77); /* the oldest that still is a duplicate */
	CU_ASSERT_EQUAL(e->n_got, 10);
	CU_ASSERT_EQUAL(e->stats.rx_duplicate, 3);
	CU_ASSERT_EQUAL(e->n_sent, 3);
	CU_ASSERT_EQUAL(e->sent[2].nr, 10);
	rx(e, (uint16_t)(10 - 32769), 0, 78);
	CU_ASSERT_EQUAL(e->stats.rx_out_of_window, 1);
	CU_ASSERT_EQUAL(e->n_sent, 3);
	end_free(e);
}

static void test_out_of_order(void)
{
	struct end *e = end_new(4, 4, 5);

	rx(e, 2, 0, 3);
	rx(e, 1, 0, 2);
	rx(e, 1, 0, 2);
	rx(e, 3, 0, 4);
	rx(e, 4, 0, 5); /* beyond the window of 4 */
	CU_ASSERT_EQUAL(e->n_got, 0);
	CU_ASSERT_EQUAL(e->n_sent, 0); /* nothing is acknowledged that is not in order */
	CU_ASSERT_EQUAL(e->stats.rx_out_of_order, 3);
	CU_ASSERT_EQUAL(e->stats.rx_duplicate, 1);
	CU_ASSERT_EQUAL(e->stats.rx_out_of_window, 1);
	rx(e, 0, 0, 1);
	CU_ASSERT_EQUAL(e->n_got, 4);
	CU_ASSERT_PTR_NULL(e->ch.store); /* nothing waits any more */
	for (uint32_t i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(e->got[i], i + 1);
	CU_ASSERT_EQUAL(e->n_sent, 1);
	CU_ASSERT_EQUAL(e->sent[0].nr, 4);
	end_free(e);
}

/* What waits out of order is bounded, whatever window we offer. */
static void test_bounded_store(void)
{
	struct end *e = end_new(65535, 4, 5);

	for (uint32_t i = 1; i < 30000; i++)
		rx(e, (uint16_t)i, 0, i);
	CU_ASSERT_EQUAL(e->stats.rx_out_of_order, 255);
	CU_ASSERT_EQUAL(e->ch.store->n, 255);
	end_free(e);
}

static void test_wrap(void)
{
	struct end *e = end_new(5, 8, 5);

	e->ch.una = 65534;
	e->ch.nr = 65533;
	e->ch.cwnd = 8;
	for (uint32_t i = 0; i < 5; i++)
		put(e, i + 1);
	CU_ASSERT_EQUAL(e->n_sent, 5);
	CU_ASSERT_EQUAL(e->sent[2].ns, 0);
	rx(e, 0, 65534, 0); /* nothing new */
	CU_ASSERT_EQUAL(l2tp_chan_queued(&e->ch), 5);
	rx(e, 0, 1, 0);
	CU_ASSERT_EQUAL(l2tp_chan_queued(&e->ch), 2);
	rx(e, 0, 65535, 0); /* old */
	rx(e, 0, 9, 0); /* never sent */
	CU_ASSERT_EQUAL(l2tp_chan_queued(&e->ch), 2);
	rx(e, 0, 3, 0);
	CU_ASSERT_EQUAL(l2tp_chan_queued(&e->ch), 0);
	CU_ASSERT_EQUAL(e->drained, 1);
	/* Received numbers wrap within the store, too. */
	rx(e, 1, 3, 15);
	rx(e, 0, 3, 14);
	rx(e, 65535, 3, 13);
	rx(e, 65534, 3, 12);
	CU_ASSERT_EQUAL(e->n_got, 0);
	rx(e, 65533, 3, 11);
	CU_ASSERT_EQUAL(e->n_got, 5);
	for (uint32_t i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(e->got[i], 11 + i);
	rx(e, 65533, 3, 11);
	CU_ASSERT_EQUAL(e->stats.rx_duplicate, 1);
	CU_ASSERT_EQUAL(e->ch.nr, 2);
	end_free(e);
}

/* 1, 2, 4, 8, 8 s: 31 s with five retransmissions. Nr is that of the moment. */
static void test_retransmission(void)
{
	static const uint64_t at[] = {0, 1000, 3000, 7000, 15000, 23000};
	struct end *e = end_new(4, 4, 5);
	unsigned n = 1;

	put(e, 1);
	CU_ASSERT_EQUAL(e->sent[0].nr, 0);
	rx(e, 0, 0, 50);
	e->n_sent = 1;
	for (uint64_t t = 1; t < 31000; t++) {
		run(e, 1 + t);
		if (n < 6 && t == at[n])
			n++;
		CU_ASSERT_EQUAL_FATAL(e->n_sent, n);
	}
	CU_ASSERT_EQUAL(n, 6);
	CU_ASSERT_EQUAL(e->sent[5].ns, 0);
	CU_ASSERT_EQUAL(e->sent[5].nr, 1);
	CU_ASSERT_EQUAL(e->died, 0);
	run(e, 31001);
	CU_ASSERT_EQUAL(e->died, 1);
	CU_ASSERT_EQUAL(e->stats.retransmits, 5);
	CU_ASSERT_EQUAL(e->q.n, 0);
	end_free(e);
}

static void test_retries(void)
{
	struct end *e = end_new(4, 4, 2);

	put(e, 1);
	run(e, 1 + 6999);
	CU_ASSERT_EQUAL(e->died, 0);
	run(e, 1 + 7000);
	CU_ASSERT_EQUAL(e->died, 1);
	CU_ASSERT_EQUAL(e->n_sent, 3);
	end_free(e);

	/* Progress starts the count anew; the owner may grant another round. */
	e = end_new(4, 4, 2);
	put(e, 1);
	put(e, 2);
	run(e, 1 + 6999);
	rx(e, 0, 1, 0);
	run(e, 7000 + 6999);
	CU_ASSERT_EQUAL(e->died, 0);
	e->again = 1;
	run(e, 7000 + 7000);
	CU_ASSERT_EQUAL(e->died, 1);
	run(e, 14000 + 8000 + 8000 + 8000 - 1);
	CU_ASSERT_EQUAL(e->died, 1);
	run(e, 14000 + 8000 + 8000 + 8000);
	CU_ASSERT_EQUAL(e->died, 2);
	end_free(e);
}

/* Appendix A: 1, 2, 4, .. up to the peer's window; after a loss half as threshold, and from 1 again. */
static void test_congestion(void)
{
	struct end *e = end_new(4, 8, 5);
	unsigned round[] = {1, 2, 4, 8, 8};
	unsigned total = 0;

	for (uint32_t i = 0; i < 60; i++)
		put(e, i + 1);
	for (size_t i = 0; i < sizeof(round) / sizeof(round[0]); i++) {
		CU_ASSERT_EQUAL(e->n_sent, total + round[i]);
		total = e->n_sent;
		rx(e, 0, (uint16_t)total, 0);
	}
	CU_ASSERT_EQUAL(e->ch.cwnd, 8);
	/* Loss: the first message alone is sent again. */
	total = e->n_sent;
	run(e, e->now + 1000);
	CU_ASSERT_EQUAL(e->n_sent, total + 1);
	CU_ASSERT_EQUAL(e->sent[total].ns, 23);
	CU_ASSERT_EQUAL(e->ch.cwnd, 1);
	CU_ASSERT_EQUAL(e->ch.ssthresh, 4);
	/* It fills the gap: all that was in flight is acknowledged at once. */
	rx(e, 0, 31, 0);
	CU_ASSERT_EQUAL(e->ch.una, 31);
	CU_ASSERT(e->ch.cwnd >= 4 && e->ch.cwnd <= 6);
	end_free(e);

	/* Linear beyond the threshold: one more for each window acknowledged. */
	e = end_new(4, 100, 5);
	e->ch.ssthresh = 2;
	for (uint32_t i = 0; i < 60; i++)
		put(e, i + 1);
	rx(e, 0, 1, 0);
	CU_ASSERT_EQUAL(e->ch.cwnd, 2);
	rx(e, 0, 2, 0);
	CU_ASSERT_EQUAL(e->ch.cwnd, 2);
	rx(e, 0, 3, 0);
	CU_ASSERT_EQUAL(e->ch.cwnd, 3);
	rx(e, 0, 5, 0);
	CU_ASSERT_EQUAL(e->ch.cwnd, 3);
	rx(e, 0, 6, 0);
	CU_ASSERT_EQUAL(e->ch.cwnd, 4);
	CU_ASSERT_EQUAL(e->n_sent, 10);
	end_free(e);
}

/* After a loss what the peer already has is not sent again, and the rest is. */
static void test_go_on_after_loss(void)
{
	struct end *e = end_new(4, 8, 5);

	e->ch.cwnd = 4;
	for (uint32_t i = 0; i < 6; i++)
		put(e, i + 1);
	CU_ASSERT_EQUAL(e->n_sent, 4);
	run(e, 1001);
	CU_ASSERT_EQUAL(e->n_sent, 5);
	rx(e, 0, 1, 0); /* the peer has not kept 1..3 */
	CU_ASSERT_EQUAL(e->n_sent, 7);
	CU_ASSERT_EQUAL(e->sent[5].ns, 1);
	CU_ASSERT_EQUAL(e->sent[6].ns, 2);
	rx(e, 0, 4, 0);
	CU_ASSERT_EQUAL(e->sent[7].ns, 4);
	CU_ASSERT_EQUAL(e->sent[8].ns, 5);
	rx(e, 0, 6, 0);
	CU_ASSERT_EQUAL(e->drained, 1);
	CU_ASSERT_EQUAL(e->q.n, 0);
	end_free(e);
}

/* What cannot be stored its owner hears of; the channel goes on for as long as it is let. */
static void test_no_memory(void)
{
	static uint8_t huge[L2TP_MSG_MAX + 1];
	struct end *e = end_new(4, 4, 5);

	put(e, 1);
	CU_ASSERT_EQUAL(l2tp_chan_send(&e->ch, huge, sizeof(huge), false, e->now), -ENOMEM);
	CU_ASSERT_EQUAL(e->nomem, 1);
	CU_ASSERT_EQUAL(l2tp_chan_queued(&e->ch), 1);
	rx(e, 0, 1, 0);
	CU_ASSERT_EQUAL(e->drained, 1);
	/* With nothing else under way nothing is left of it. */
	CU_ASSERT_EQUAL(l2tp_chan_send_last(&e->ch, huge, sizeof(huge), e->now), -ENOMEM);
	CU_ASSERT_EQUAL(e->nomem, 2);
	CU_ASSERT_PTR_NULL(e->ch.tx);
	CU_ASSERT_EQUAL(l2tp_chan_ns(&e->ch), 1);
	CU_ASSERT_EQUAL(e->died, 0);
	CU_ASSERT_EQUAL(e->q.n, 0);
	l2tp_chan_close(&e->ch);
	CU_ASSERT_EQUAL(l2tp_chan_send(&e->ch, huge, sizeof(huge), false, e->now), -EPIPE);
	CU_ASSERT_EQUAL(e->nomem, 2);
	end_free(e);
}

static void test_window_of_one(void)
{
	struct end *e = end_new(4, 0, 5); /* 0 is no window: taken as 1 */

	put(e, 1);
	put(e, 2);
	CU_ASSERT_EQUAL(e->n_sent, 1);
	rx(e, 0, 1, 0);
	CU_ASSERT_EQUAL(e->n_sent, 2);
	CU_ASSERT_EQUAL(e->ch.cwnd, 1);
	end_free(e);
}

static void test_last_message(void)
{
	struct l2tp_build b;
	uint8_t buf[64];
	struct end *e = end_new(4, 4, 5);

	for (uint32_t i = 0; i < 20; i++)
		put(e, i + 1);
	CU_ASSERT_EQUAL(e->n_sent, 1);
	l2tp_build_begin(&b, buf, sizeof(buf), L2TP_STOPCCN, 5, 0);
	l2tp_build_u16(&b, L2TP_AVP_ASSIGNED_TUNNEL_ID, 1);
	l2tp_chan_send_last(&e->ch, buf, l2tp_build_end(&b), e->now);
	/* What never left makes room, and the congestion window does not matter. */
	CU_ASSERT_EQUAL(e->n_sent, 2);
	CU_ASSERT_EQUAL(e->sent[1].ns, 1);
	CU_ASSERT_EQUAL(l2tp_chan_queued(&e->ch), 2);
	rx(e, 0, 2, 0);
	CU_ASSERT_EQUAL(e->drained, 1);
	end_free(e);
}

static void test_close_while_delivering(void)
{
	struct end *e = end_new(4, 4, 5);

	e->close_on_deliver = true;
	rx(e, 1, 0, 2);
	rx(e, 2, 0, 3);
	rx(e, 0, 0, 1);
	CU_ASSERT_EQUAL(e->n_got, 1);
	CU_ASSERT_EQUAL(e->n_sent, 0);
	rx(e, 3, 0, 4);
	CU_ASSERT_EQUAL(e->n_got, 1);
	end_free(e);
}

/* More messages queued than there are numbers. */
static void test_long_queue(void)
{
	struct end *e = end_new(4, 16, 5);
	uint32_t acked = 0;

	for (uint32_t i = 0; i < 70000; i++)
		put(e, i + 1);
	while (l2tp_chan_queued(&e->ch) > 0 && acked < 80000) {
		acked += e->ch.tx->n_flight;
		rx(e, 0, (uint16_t)acked, 0);
	}
	CU_ASSERT_EQUAL(acked, 70000);
	CU_ASSERT_EQUAL(e->stats.retransmits, 0);
	end_free(e);
}

static unsigned bad_net(struct end *e)
{
	uint32_t r = rnd(e) % 100;

	return r < 25 ? 0 : r < 35 ? 2 : 1;
}

static void arrive(struct end *e)
{
	for (unsigned i = 0; i < WIRE_MAX; i++) {
		struct l2tp_hdr h;
		uint8_t pkt[64];
		size_t len = e->wire[i].len;

		if (!e->wire[i].used || e->wire[i].at > e->now)
			continue;
		e->wire[i].used = false;
		memcpy(pkt, e->wire[i].pkt, len);
		CU_ASSERT_EQUAL_FATAL(l2tp_hdr_parse(pkt, len, &h), 0);
		l2tp_chan_rx(&e->ch, &h, pkt, len, e->now);
	}
}

/* Two channels, a quarter of the datagrams lost, a tenth doubled, all in disorder. */
static void test_bad_network(void)
{
	for (uint32_t seed = 1; seed <= 10; seed++) {
		struct end *a = end_new(8, 6, 200), *b = end_new(6, 8, 200);

		a->peer = b;
		b->peer = a;
		a->fate = b->fate = bad_net;
		a->rnd = seed;
		b->rnd = seed * 7919;
		a->ch.una = b->ch.nr = 65500;
		for (uint32_t i = 0; i < 100; i++) {
			put(a, i + 1);
			put(b, i + 1001);
		}
		for (uint64_t t = 2;
		     t < 3000000 && l2tp_chan_queued(&a->ch) + l2tp_chan_queued(&b->ch) > 0;
		     t += 5) {
			run(a, t);
			run(b, t);
			arrive(a);
			arrive(b);
		}
		CU_ASSERT_EQUAL(a->n_got, 100);
		CU_ASSERT_EQUAL(b->n_got, 100);
		for (uint32_t i = 0; i < 100; i++) {
			CU_ASSERT_EQUAL(b->got[i], i + 1);
			CU_ASSERT_EQUAL(a->got[i], i + 1001);
		}
		CU_ASSERT_EQUAL(a->died + b->died, 0);
		end_free(a);
		end_free(b);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
	        {"in order", test_in_order},
	        {"duplicates", test_duplicates},
	        {"out of order", test_out_of_order},
	        {"bounded store", test_bounded_store},
	        {"numbers wrap", test_wrap},
	        {"retransmission schedule", test_retransmission},
	        {"retries", test_retries},
	        {"slow start and congestion avoidance", test_congestion},
	        {"going on after a loss", test_go_on_after_loss},
	        {"no memory", test_no_memory},
	        {"window of one", test_window_of_one},
	        {"last message", test_last_message},
	        {"closed while delivering", test_close_while_delivering},
	        {"queue longer than the number space", test_long_queue},
	        {"bad network", test_bad_network},
	        CU_TEST_INFO_NULL,
	};

	return run_suite("l2tp channel", tests);
}
