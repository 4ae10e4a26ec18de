/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Stage: ESP packets (RFC 4303), from their IP or UDP header (RFC 3948) to L2TP.
 *
 * In: at the ESP header, cut to the outer length, of an SPI of this worker; outer addresses in the
 * metadata. Out: L2TP data messages at the L2TP header, as classify gives them, with the inner
 * addresses and the connection in the metadata. Elsewhere: L2TP control messages to control.
 *
 * The UDP checksum is not looked at: the ICV covers the message, and NAT makes it wrong (RFC 3948 3.1.2).
 */
#include "dataplane/l2tp.h"

#include <rte_prefetch.h>

static_assert(VEC_MAX <= ESP_BURST_MAX, "a vector is one burst");

#define L2TP_NOT_USUAL                                                                             \
	(L2TP_T | L2TP_L | L2TP_S | L2TP_O |                                                       \
	 L2TP_VER) /* but for version 2 in a data message with nothing optional */
#define L2TP_TID  4 /* offset of the tunnel id in a control message (RFC 2661 3.1) */
#define NEXT_IPV4 4 /* next header of tunnel mode: IPv4 in IP */
#define SA_AHEAD  4 /* packets for which the SA's lines are fetched in time */

/* ---- before ---- */

/* What the SA does not take: it is past a limit, or in the other form than IKE has found out. */
static __rte_noinline void refuse(struct worker *w, struct rte_mbuf *m, struct sa *sa)
{
	if (sa->dead) {
		dp_drop(w, m, DP_DROP_ESP_EXPIRED);
		return;
	}
	sa->selector_errors++;
	dp_drop(w, m, DP_DROP_ESP_SELECTOR);
}

/* ---- what the packet says of the SA ---- */

/* The peer's NAT has given it another address or port: control decides (RFC 3948, RFC 7296 2.23). */
static void mapping(struct worker *w, struct sa *sa, const struct pkt_meta *meta)
{
	uint64_t from = (uint64_t)meta->src << 16 | meta->sport;

	if (likely(meta->src == sa->outer.peer_ip && meta->sport == sa->outer.peer_port))
		from = 0;
	if (unlikely(sa->mapping != from))
		dp_sa_moved(w, sa, from);
}

/* An authenticated packet, when a limit may be near or it is the first one. */
static __rte_noinline enum dp_drop account_watched(struct worker *w, struct sa *sa,
                                                   const struct esp_pkt *p,
                                                   const struct pkt_meta *meta)
{
	const struct sa_limits *l = sa_limits(sa);

	/* An earlier one of the same burst may have been the last. */
	if (unlikely(sa->dead))
		return DP_DROP_ESP_EXPIRED;
	if (unlikely(sa->packets >= l->hard_packets || sa->bytes + p->len > l->hard_bytes)) {
		sa->dead = 1;
		dp_sa_watch(sa);
		dp_sa_event_once(w, sa, DP_SA_HARD);
		return DP_DROP_ESP_EXPIRED;
	}
	if (unlikely((sa->said & 1u << DP_SA_FIRST) == 0))
		dp_sa_first(w, sa);
	if (sa->outer.encap && p->newest)
		mapping(w, sa, meta);
	sa->packets++;
	sa->bytes += p->len;
	sa->last = w->now;
	if (unlikely(sa->packets >= l->soft_packets || sa->bytes >= l->soft_bytes ||
	             esp_sa_seq(p->sa) >= sa->soft_seq))
		dp_sa_event_once(w, sa, DP_SA_SOFT);
	dp_sa_watch(sa);
	return DP_DROP_NONE;
}

/* An authenticated packet. */
static inline enum dp_drop account(struct worker *w, struct sa *sa, const struct esp_pkt *p,
                                   const struct pkt_meta *meta)
{
	/* What is not soft for a number of 32 bits is for none. */
	if (unlikely(sa->credit == 0 || esp_sa_seq(p->sa) >= SA_SEQ_SOFT))
		return account_watched(w, sa, p, meta);
	sa->credit--;
	sa->packets++;
	sa->bytes += p->len;
	sa->last = w->now;
	if (unlikely(sa->takes != 0) && p->newest)
		mapping(w, sa, meta);
	return DP_DROP_NONE;
}

/* Not ESP_OK. */
static __rte_noinline enum dp_drop failed(struct worker *w, struct sa *sa, const struct esp_pkt *p,
                                          const struct pkt_meta *meta)
{
	enum dp_drop bad;

	switch (p->status) {
	case ESP_DUMMY:
		bad = account(w, sa, p, meta);
		return bad != DP_DROP_NONE ? bad : DP_DROP_ESP_DUMMY;
	case ESP_REPLAY:
		sa->replays++;
		return DP_DROP_ESP_REPLAY;
	case ESP_AUTH:
		sa->auth_errors++;
		return DP_DROP_ESP_AUTH;
	case ESP_PAD:
		sa->pad_errors++;
		return DP_DROP_ESP_PAD;
	default:
		return DP_DROP_ESP_SHORT;
	}
}

/* ---- what is in it ---- */

/* Tunnel mode: takes the inner IPv4 header off. False when it is not the child's. */
static bool inner_ip4(struct rte_mbuf *m, const struct sa *sa)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
	uint16_t total;

	if (ip4_check(ip, m->data_len, false) != DP_DROP_NONE || ip4_is_fragment(ip) ||
	    ip->next_proto_id != IPPROTO_UDP || rte_be_to_cpu_32(ip->src_addr) != sa->in.peer_ip ||
	    rte_be_to_cpu_32(ip->dst_addr) != sa->in.local_ip)
		return false;
	total = rte_be_to_cpu_16(ip->total_length);
	rte_pktmbuf_trim(m, (uint16_t)(m->data_len - total));
	rte_pktmbuf_adj(m, ip4_hdr_len(ip));
	return true;
}

/* True when both ports, as in a UDP header, are the child's. */
static inline bool ports_match(const struct sa *sa, uint32_t ports)
{
	return ((ports ^ sa->in.ports) & sa->in.ports_mask) == 0;
}

/* Metadata of what has come through sa, with these ports. */
static inline void meta_fill(struct pkt_meta *meta, const struct sa *sa, uint32_t ports)
{
	static_assert(offsetof(struct pkt_meta, dst) - offsetof(struct pkt_meta, src) == 4 &&
	                      offsetof(struct sa, in.local_ip) - offsetof(struct sa, in.peer_ip) ==
	                              4,
	              "both addresses are copied in one piece");
	memcpy(&meta->src, &sa->in.peer_ip, 8);
	meta->sport = rte_be_to_cpu_16((uint16_t)ports);
	meta->dport = rte_be_to_cpu_16((uint16_t)(ports >> 16));
	meta->conn = sa->in.conn;
	meta->in_child = sa->in.child;
}

/* The UDP length, when header and ports are the child's; else 0. */
static inline uint16_t inner_udp(struct rte_mbuf *m, const struct sa *sa)
{
	struct rte_udp_hdr *u = rte_pktmbuf_mtod(m, struct rte_udp_hdr *);
	uint32_t ports;
	uint16_t len;

	if (unlikely(m->data_len < sizeof(*u)))
		return 0;
	len = rte_be_to_cpu_16(u->dgram_len);
	memcpy(&ports, u, sizeof(ports));
	if (unlikely(len < sizeof(*u) || len > m->data_len || !ports_match(sa, ports)))
		return 0;
	meta_fill(pkt_meta(m), sa, ports);
	u->dgram_cksum = 0; /* what comes later does not look at it, as if there were none */
	return len;
}

/*
 * E32: of a connection that has fired only the control messages of its own tunnel come through. p is
 * at the L2TP header, len bytes are there.
 */
static bool passes_latch(const struct dp *dp, const struct sa *sa, const uint8_t *p, uint16_t len)
{
	const struct tunnel *t;
	uint16_t tid;

	if (len < L2TP_TID + 2 || (get_be16(p) & L2TP_T) == 0)
		return false;
	tid = get_be16(p + L2TP_TID);
	t = &dp->tunnels[tid];
	return tid != 0 && __atomic_load_n(&t->known, __ATOMIC_ACQUIRE) != 0 &&
	       __atomic_load_n(&t->conn, __ATOMIC_RELAXED) == sa->in.conn;
}

/* Decrypted, whatever it is. Returns it when it is a data message for the next stage. */
static __rte_noinline struct rte_mbuf *inner_any(struct worker *w, struct rte_mbuf *m,
                                                 struct sa *sa, const struct esp_pkt *p)
{
	uint16_t len = 0;

	m->data_off = (uint16_t)(p->data - (uint8_t *)m->buf_addr);
	m->data_len = p->len;
	m->pkt_len = p->len;
	if (likely(sa->tunnel_mode ? p->next_header == NEXT_IPV4 && inner_ip4(m, sa)
	                           : p->next_header == IPPROTO_UDP))
		len = inner_udp(m, sa);
	if (unlikely(len == 0)) {
		sa->selector_errors++;
		dp_drop(w, m, DP_DROP_ESP_SELECTOR);
		return NULL;
	}
	len -= (uint16_t)sizeof(struct rte_udp_hdr);
	if (unlikely(dp_child_fired(w->dp, sa->child)) &&
	    !passes_latch(w->dp, sa,
	                  rte_pktmbuf_mtod_offset(m, const uint8_t *, sizeof(struct rte_udp_hdr)),
	                  len)) {
		sa->latched++;
		dp_drop(w, m, DP_DROP_SS_FIRED);
		return NULL;
	}
	return dp_l2tp_message(w, m, sizeof(struct rte_udp_hdr), len);
}

/* What comes out of transport mode in front of the ids of a usual message. */
struct usual {
	uint32_t ports;
	uint16_t len, sum;
	uint16_t flags;
};

/*
 * The same for what nearly all are: a data message without anything optional, in transport mode, between
 * the child's own ports, for a session of this worker, with no latch fired.
 */
static inline struct rte_mbuf *inner(struct worker *w, struct rte_mbuf *m, struct sa *sa,
                                     const struct esp_pkt *p)
{
	const uint16_t at = sizeof(struct rte_udp_hdr);
	uint8_t *udp = p->data;
	const uint32_t len = p->len;
	struct usual h;
	uint16_t sid;

	if (unlikely(len < at + L2TP_DATA_LEAST))
		return inner_any(w, m, sa, p);
	memcpy(&h, udp, at + sizeof(h.flags));
	sid = get_be16(udp + at + 4);
	if (unlikely(sa->tunnel_mode || p->next_header != IPPROTO_UDP ||
	             !ports_match(sa, h.ports) || rte_be_to_cpu_16(h.len) != len ||
	             (h.flags & RTE_BE16(L2TP_NOT_USUAL)) != RTE_BE16(2) ||
	             dp_child_fired(w->dp, sa->in.child) || dp_owner(w->dp, sid) != w->id))
		return inner_any(w, m, sa, p);
	rte_prefetch0(&w->dp->rx[sid]);
	memset(udp + 6, 0, 2); /* the checksum, as in inner_udp */
	meta_fill(pkt_meta(m), sa, h.ports);
	m->data_off = (uint16_t)(udp + at - (uint8_t *)m->buf_addr);
	m->data_len = (uint16_t)(len - at);
	m->pkt_len = len - at;
	return m;
}

/* ---- the stage ---- */

/*
 * By its SPI alone (RFC 4301 4.1), which is this worker's. NULL: held or dropped. Packets that were held
 * have their SA already.
 */
static inline struct sa *find(struct worker *w, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);
	const struct spi_slot *slot;
	uint32_t spi;

	if (unlikely(meta->sa != NULL))
		return meta->sa;
	spi = get_be32(rte_pktmbuf_mtod(m, const uint8_t *));
	slot = &w->dp->spi[spi_slot(spi)];
	if (unlikely(spi < SPI_MIN || __atomic_load_n(&slot->spi, __ATOMIC_ACQUIRE) != spi)) {
		dp_drop(w, m, DP_DROP_ESP_UNKNOWN_SPI);
		return NULL;
	}
	if (unlikely(slot->sa == NULL)) {
		dp_esp_hold(w, m, spi);
		return NULL;
	}
	return slot->sa;
}

static inline struct rte_mbuf *after(struct worker *w, struct rte_mbuf *m, const struct esp_pkt *p)
{
	struct sa *sa = sa_by_esp(p->sa);
	enum dp_drop bad;

	if (likely(p->status == ESP_OK))
		bad = account(w, sa, p, pkt_meta(m));
	else
		bad = failed(w, sa, p, pkt_meta(m));
	if (unlikely(bad != DP_DROP_NONE)) {
		dp_drop(w, m, bad);
		return NULL;
	}
	return inner(w, m, sa, p);
}

/* What has an SA, compacted in v. classify has fetched the slots: now memory works on all SAs at once. */
static uint16_t find_all(struct worker *w, struct rte_mbuf **v, uint16_t n, struct sa **sas)
{
	uint16_t k = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = v[i];
		struct sa *sa = find(w, m);

		assert(m->nb_segs == 1);
		if (unlikely(sa == NULL))
			continue;
		sa_prefetch(sa);
		sas[k] = sa;
		v[k++] = m;
	}
	return k;
}

/* What may be decrypted, in p and compacted in v. */
static uint16_t gather(struct worker *w, struct rte_mbuf **v, uint16_t n, struct sa **sas,
                       struct esp_pkt *p)
{
	uint16_t k = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = v[i];
		struct sa *sa = sas[i];

		if (unlikely((pkt_meta(m)->flags & PKT_ENCAP) != sa->takes)) {
			refuse(w, m, sa);
			continue;
		}
		p[k].sa = esp_of(sa);
		p[k].data = rte_pktmbuf_mtod(m, uint8_t *);
		p[k].len = m->data_len;
		v[k++] = m;
	}
	return k;
}

uint16_t dp_esp_in(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	struct esp_pkt p[VEC_MAX];
	struct sa *sas[VEC_MAX];
	uint16_t left = 0;

	n = find_all(w, v, n, sas);
	n = gather(w, v, n, sas, p);
	if (n == 0)
		return 0;
	esp_decrypt(w->esp_engine, p, n);
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m;

		/* The packets and keys have pushed them out. */
		if (i + SA_AHEAD < n)
			rte_prefetch0(&sa_by_esp(p[i + SA_AHEAD].sa)->packets);
		m = after(w, v[i], &p[i]);
		if (m != NULL)
			v[left++] = m;
	}
	return left;
}
