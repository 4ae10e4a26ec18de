/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The reliable control channel of one tunnel (RFC 2661 5.8 and appendix A): numbering,
 * acknowledgement, retransmission, the send window with slow start, and putting received messages
 * into order. It knows nothing of tunnels and calls, only finished messages.
 */
#pragma once

#include "base/slab.h"
#include "base/timerq.h"
#include "l2tp/l2tp.h"
#include "l2tp/msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define L2TP_RWS_DEFAULT 4 /* of a peer that sends no Receive Window Size AVP (4.4.3) */

struct l2tp_channel;

struct l2tp_chan_ops {
	/* Puts a datagram on the wire. */
	void (*send)(struct l2tp_channel *ch, const uint8_t *pkt, size_t len);
	/*
	 * A message in order, each exactly once. It counts as received: whatever is sent from here on
	 * acknowledges it. pkt lives only during the call. May close the channel.
	 */
	void (*deliver)(struct l2tp_channel *ch, const uint8_t *pkt, size_t len);
	/* Everything that was sent is acknowledged. The last thing that l2tp_chan_rx does. */
	void (*drained)(struct l2tp_channel *ch);
	/*
	 * The retransmissions of a message are used up. Comes only from the timer. True starts another
	 * round of retransmissions; the channel may have been freed when it returns false.
	 */
	bool (*dead)(struct l2tp_channel *ch, uint64_t now_ms);
	/*
	 * A message could not be stored: the channel is of no use any more, but may not be closed from
	 * here, because who wanted to send is in the middle of something.
	 */
	void (*nomem)(struct l2tp_channel *ch);
};

/* What the channels of an instance have in common. */
struct l2tp_chan_env {
	const struct l2tp_chan_ops *ops;
	struct timerq *timers;
	struct l2tp_stats *stats; /* of the instance, counted along */
	struct slab tx_slab; /* struct l2tp_chan_tx */
};

/* What many channels have in common. Filled by l2tp_chan_conf_init. */
struct l2tp_chan_conf {
	struct l2tp_chan_env *env;
	uint16_t rws; /* what we offer: bounds the messages kept out of order */
	uint32_t first_ms; /* before the first retransmission; doubles with each further one */
	uint32_t cap_ms; /* up to this */
};

/* Messages that are not acknowledged, and the patience with them. */
struct l2tp_chan_tx {
	struct l2tp_channel *ch;
	struct timer rto;
	struct l2tp_chan_msg *head, *tail; /* in order of Ns */
	struct l2tp_chan_msg *next_tx; /* first one that is not in flight */
	uint64_t since_ms; /* the queue is not empty, or another round of retransmissions began */
	uint32_t n_queue, n_flight;
	uint32_t n_replies; /* queued ones that the peer has provoked */
	uint32_t rto_ms;
	uint16_t high; /* one past the highest Ns that ever left */
	uint8_t tries;
};

/* Messages received out of order. */
struct l2tp_chan_store {
	uint16_t n; /* messages in it */
	uint16_t size; /* slots */
	struct l2tp_chan_slot {
		uint8_t *pkt; /* NULL: free */
		uint16_t len;
	} slot[]; /* indexed by Ns */
};

struct l2tp_channel {
	const struct l2tp_chan_conf *conf;
	struct l2tp_chan_tx *tx; /* NULL: all is acknowledged */
	struct l2tp_chan_store *store; /* NULL: nothing waits */

	uint16_t una; /* the oldest not acknowledged */
	uint16_t nr; /* next expected */
	uint16_t peer_tid; /* for the header of acknowledgements; 0: not yet known */
	uint16_t peer_rws; /* as the peer told it */
	uint16_t cwnd, ssthresh, cwnd_acks;
	uint8_t retries; /* retransmissions of one message */
	bool ack_pending : 1, urgent : 1, closed : 1;

	uint32_t rx_zlb, tx_zlb, rx_duplicate, rx_out_of_order, rx_out_of_window, retransmits;
};

/* Allocates nothing. */
void l2tp_chan_env_init(struct l2tp_chan_env *env, const struct l2tp_chan_ops *ops,
                        struct timerq *timers, struct l2tp_stats *stats);
/* After the last channel. */
void l2tp_chan_env_fini(struct l2tp_chan_env *env);

/* env must outlive conf. rws 0 and first_ms 0 stand for the defaults of RFC 2661. */
void l2tp_chan_conf_init(struct l2tp_chan_conf *conf, struct l2tp_chan_env *env, uint16_t rws,
                         uint32_t first_ms, uint32_t cap_ms);

/*
 * Prepares a channel with Ns = Nr = 0. Allocates nothing. conf must outlive it. peer_rws: what the peer
 * offers, of which 0 is taken as 1.
 */
void l2tp_chan_init(struct l2tp_channel *ch, const struct l2tp_chan_conf *conf, uint8_t retries,
                    uint16_t peer_tid, uint16_t peer_rws);

/* Frees what is queued and stops the timer. No callback comes after this. Idempotent. */
void l2tp_chan_close(struct l2tp_channel *ch);

/*
 * Queues a finished message (copied) and sends it when the window allows. reply: it answers a request
 * of the peer and counts in l2tp_chan_replies, which the owner bounds. Returns 0, -ENOMEM (the owner has
 * heard of it by nomem) or -EPIPE on a closed channel.
 */
int l2tp_chan_send(struct l2tp_channel *ch, const uint8_t *pkt, size_t len, bool reply,
                   uint64_t now_ms);

/* From here on only the peer's window holds messages back, not the congestion window. */
void l2tp_chan_hurry(struct l2tp_channel *ch, uint64_t now_ms);

/*
 * l2tp_chan_send for the last message of a channel (StopCCN), in a hurry: messages that never left
 * are dropped for it.
 */
int l2tp_chan_send_last(struct l2tp_channel *ch, const uint8_t *pkt, size_t len, uint64_t now_ms);

/*
 * A message with this header arrived; len 12 at least, bounded by the header's length. Delivers what
 * is in order, acknowledges what needs it (last and preceding 32767 numbers are duplicates, 5.8).
 */
void l2tp_chan_rx(struct l2tp_channel *ch, const struct l2tp_hdr *h, const uint8_t *pkt, size_t len,
                  uint64_t now_ms);

/* Sends an acknowledgement alone when one is due and nothing has carried it. */
void l2tp_chan_flush(struct l2tp_channel *ch);

/* Counts message 0 as received: the SCCRQ that made the tunnel. */
void l2tp_chan_accept_first(struct l2tp_channel *ch);

/*
 * The SCCRQ that made the tunnel came again: the oldest unacknowledged message (the SCCRP, while it
 * matters) answers it at once, outside the schedule, or else a mere acknowledgement.
 */
void l2tp_chan_first_again(struct l2tp_channel *ch);

/* The peer's ids and window have become known; fills in the id in messages that still wait. */
void l2tp_chan_set_peer(struct l2tp_channel *ch, uint16_t peer_tid, uint16_t peer_rws);
void l2tp_chan_set_retries(struct l2tp_channel *ch, uint8_t retries);

/* True when the only message not acknowledged is one of this type. */
bool l2tp_chan_only(const struct l2tp_channel *ch, uint16_t type);

/* Messages that are not acknowledged; those of them that answer requests of the peer. */
uint32_t l2tp_chan_queued(const struct l2tp_channel *ch);
uint32_t l2tp_chan_replies(const struct l2tp_channel *ch);
/* For the next message to be queued; one past the highest that ever left. */
uint16_t l2tp_chan_ns(const struct l2tp_channel *ch);
uint16_t l2tp_chan_high(const struct l2tp_channel *ch);
