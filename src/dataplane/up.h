/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The usual packet of a subscriber, from its session to a port: what up does with messages, and the way through an SA
 * with what it has decrypted.
 *
 * Packets of a session keep their order: behind one that is not usual, none of its session is.
 */
#pragma once

#include "dataplane/l2tp.h"
#include "dataplane/link.h"

/* PPP headers of IPv4 (RFC 1661 2, 6.6; RFC 1332 2), as words in network order. */
#define PPP_FF03 RTE_BE16(0xff03)
#define PPP_IP4  RTE_BE16(0x0021)

static inline uint16_t up_word(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

#define IP4_LEAST ((uint32_t)sizeof(struct rte_ipv4_hdr))
#define UP_LEAST  (L2TP_DATA_LEAST + 2 + IP4_LEAST) /* of a message that is looked into */

#define UP_OPEN (SESS_VALID | SESS_OPEN | SESS_ADDRESSES)

/* What goes along with a vector. */
struct up_run {
	struct way way;
	uint64_t behind; /* bits of sessions that have to wait behind a packet that was not usual */
	uint16_t verify; /* the bits of UDP checksums that are looked at: all or none */
};

/* What packets that leave one after the other are done with. */
struct up_train {
	const struct rte_lpm *lpm;
	struct sess_rx *rx;
	struct outbox out; /* of the run's way */
};

static inline struct up_train up_train(struct worker *w, const struct up_run *up)
{
	return (struct up_train){w->dp->lpm, w->dp->rx, outbox_open(w, &up->way)};
}

/* The same as way_route, and the buffer with it. */
static inline bool up_route(struct worker *w, struct up_run *up, struct up_train *r, uint32_t dst)
{
	struct way *way = &up->way;
	bool found;

	if (likely(way_entry_at(r->lpm, dst) == way->entry))
		return true;
	outbox_close(w, way, &r->out);
	found = dp_way_route(w->dp, way, dst);
	r->out = outbox_open(w, way);
	return found;
}

/*
 * The rest of the work on a message of session s, to which it is bound: the IPv4 packet at ip, of which len bytes are
 * there. False, and nothing has happened, when it is not usual; to be quick, also when something is carried as the TTL
 * goes down.
 */
static __rte_always_inline bool up_packet(struct worker *w, struct up_run *up, struct up_train *r,
                                          struct rte_mbuf *m, uint8_t *ip, int32_t len,
                                          struct sess_rx *s, bool quick)
{
	const struct way *way = &up->way;
	int32_t total;
	uint32_t hop, dst;

	if (unlikely(len < (int32_t)IP4_LEAST))
		return false;
	memcpy(&hop, ip + offsetof(struct rte_ipv4_hdr, time_to_live), sizeof(hop));
	total = get_be32(ip) & 0xffff;
	dst = get_be32(ip + AT_DST - AT_IP);
	if (unlikely(ip[0] != RTE_IPV4_VHL_DEF || total > len || total < (int32_t)IP4_LEAST ||
	             !ip4_sum20_right((const void *)ip) ||
	             get_be32(ip + AT_SRC - AT_IP) != s->sub_ip || (uint8_t)hop <= 1 ||
	             (quick && hop >= 0xfffe0000) || ip4_martian_dst(dst) ||
	             (s->mss != 0 && ip4_is_syn((void *)ip, (uint32_t)total)) ||
	             !up_route(w, up, r, dst) || dp_subs_lookup(w->dp, dst) != 0 ||
	             total > way->mtu))
		return false;
	s->packets++;
	if (quick) {
		/* ip4_ttl_down, of a word that is read once more: registers are few here. */
		memcpy(&hop, ip + offsetof(struct rte_ipv4_hdr, time_to_live), sizeof(hop));
		hop += 0x10000 - 1;
		memcpy(ip + offsetof(struct rte_ipv4_hdr, time_to_live), &hop, sizeof(hop));
	} else {
		ip4_ttl_down((struct rte_ipv4_hdr *)ip);
	}
	/* In front of it were at least the headers that the message came in. */
	way_frame(way, m, ip, (uint32_t)total);
	outbox_put(w, way, &r->out, m);
	/* Apart from packets, or the compiler adds both as a vector, slowly. */
	s->bytes += (uint32_t)total;
	return true;
}

/* The bit of the session of the message at p; classify has seen that its id is there. */
static inline uint64_t up_session(const uint8_t *p)
{
	return 1ull << (get_be16(p + 4 + (get_be16(p) & L2TP_L ? 2 : 0)) & 63);
}

static inline bool up_waits(const struct up_run *r, const struct rte_mbuf *m, uint16_t at)
{
	return unlikely(r->behind != 0) &&
	       (r->behind & up_session(rte_pktmbuf_mtod_offset(m, const uint8_t *, at))) != 0;
}
