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
#include "dataplane/ip4.h"

#include <rte_prefetch.h>

static_assert(VEC_MAX <= ESP_BURST_MAX, "a vector is one burst");

#define L2TP_T 0x8000
#define L2TP_NOT_USUAL                                                                             \
	0xca0f /* T, L, S, O and the version: 2 in a data message with nothing optional */
#define L2TP_LEAST 6 /* .. of which there are flags, tunnel and session id */
#define L2TP_TID   4 /* offset of the tunnel id in a control message (RFC 2661 3.1) */
#define NEXT_IPV4  4 /* next header of tunnel mode: IPv4 in IP */
#define SA_AHEAD   6 /* packets for which the SA's lines are fetched in time */

/* ---- before ---- */

static enum dp_drop before(const struct sa *sa, const struct pkt_meta *meta)
{
	if (unlikely(sa->dead))
		return DP_DROP_ESP_EXPIRED;
	/* One form or the other, as IKE has found out: no one turns it back behind our back. */
	if (unlikely(sa->outer.encap != ((meta->flags & PKT_ENCAP) != 0)))
		return DP_DROP_ESP_SELECTOR;
	return DP_DROP_NONE;
}

static void count_before(struct sa *sa, enum dp_drop bad)
{
	if (bad == DP_DROP_ESP_SELECTOR)
		sa->selector_errors++;
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
	/* An earlier one of the same burst may have been the last. */
	if (unlikely(sa->dead))
		return DP_DROP_ESP_EXPIRED;
	if (unlikely(sa->packets >= sa->hard_packets || sa->bytes + p->len > sa->hard_bytes)) {
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
	if (unlikely(sa->packets >= sa->soft_packets || sa->bytes >= sa->soft_bytes ||
	             (p->newest && esp_sa_seq(p->sa) >= sa->soft_seq)))
		dp_sa_event_once(w, sa, DP_SA_SOFT);
	dp_sa_watch(sa);
	return DP_DROP_NONE;
}

/* An authenticated packet. */
static inline enum dp_drop account(struct worker *w, struct sa *sa, const struct esp_pkt *p,
                                   const struct pkt_meta *meta)
{
	uint64_t packets = sa->packets + 1, bytes = sa->bytes + p->len;

	if (unlikely(packets >= sa->watch_packets || bytes >= sa->watch_bytes ||
	             (sa->said & 1u << DP_SA_FIRST) == 0))
		return account_watched(w, sa, p, meta);
	if (sa->outer.encap && p->newest)
		mapping(w, sa, meta);
	sa->packets = packets;
	sa->bytes = bytes;
	sa->last = w->now;
	if (unlikely(p->newest && esp_sa_seq(p->sa) >= sa->soft_seq))
		dp_sa_event_once(w, sa, DP_SA_SOFT);
	return DP_DROP_NONE;
}

static inline enum dp_drop status(struct worker *w, struct sa *sa, const struct esp_pkt *p,
                                  const struct pkt_meta *meta)
{
	enum dp_drop bad;

	switch (p->status) {
	case ESP_OK:
		return account(w, sa, p, meta);
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
	    ip->next_proto_id != IPPROTO_UDP || rte_be_to_cpu_32(ip->src_addr) != sa->peer_ip ||
	    rte_be_to_cpu_32(ip->dst_addr) != sa->local_ip)
		return false;
	total = rte_be_to_cpu_16(ip->total_length);
	rte_pktmbuf_trim(m, (uint16_t)(m->data_len - total));
	rte_pktmbuf_adj(m, ip4_hdr_len(ip));
	return true;
}

/* The UDP length, when header and ports are the child's; else 0. */
static inline uint16_t inner_udp(struct rte_mbuf *m, const struct sa *sa)
{
	struct rte_udp_hdr *u = rte_pktmbuf_mtod(m, struct rte_udp_hdr *);
	struct pkt_meta *meta = pkt_meta(m);
	uint16_t len;

	if (unlikely(m->data_len < sizeof(*u)))
		return 0;
	len = rte_be_to_cpu_16(u->dgram_len);
	meta->sport = rte_be_to_cpu_16(u->src_port);
	meta->dport = rte_be_to_cpu_16(u->dst_port);
	if (unlikely(len < sizeof(*u) || len > m->data_len || meta->dport != sa->local_port ||
	             (sa->peer_port != 0 && meta->sport != sa->peer_port)))
		return 0;
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
	       __atomic_load_n(&t->conn, __ATOMIC_RELAXED) == sa->conn;
}

/* Decrypted, at its payload. Returns it when it is a data message for the next stage. */
static __rte_noinline struct rte_mbuf *inner_any(struct worker *w, struct rte_mbuf *m,
                                                 struct sa *sa, uint8_t next)
{
	struct pkt_meta *meta = pkt_meta(m);
	uint16_t len = 0;

	if (likely(sa->tunnel_mode ? next == NEXT_IPV4 && inner_ip4(m, sa) : next == IPPROTO_UDP))
		len = inner_udp(m, sa);
	if (unlikely(len == 0)) {
		sa->selector_errors++;
		dp_drop(w, m, DP_DROP_ESP_SELECTOR);
		return NULL;
	}
	len -= (uint16_t)sizeof(struct rte_udp_hdr);
	meta->src = sa->peer_ip;
	meta->dst = sa->local_ip;
	meta->conn = sa->conn;
	meta->in_child = sa->child;
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

static_assert(offsetof(struct pkt_meta, dport) - offsetof(struct pkt_meta, src) == 10 &&
                      offsetof(struct sa, local_port) - offsetof(struct sa, peer_ip) == 10,
              "the selectors are copied in one piece");

/*
 * The same for what nearly all are: a data message without anything optional, in transport mode, between
 * the child's own ports, for a session of this worker, with no latch fired.
 */
static inline struct rte_mbuf *inner(struct worker *w, struct rte_mbuf *m, struct sa *sa,
                                     const struct esp_pkt *p)
{
	const uint16_t at = sizeof(struct rte_udp_hdr);
	uint8_t *udp = p->data;
	struct pkt_meta *meta = pkt_meta(m);
	uint16_t sid;

	if (unlikely(sa->tunnel_mode || p->next_header != IPPROTO_UDP || p->len < at + L2TP_LEAST ||
	             get_be16(udp) != sa->peer_port || get_be16(udp + 2) != sa->local_port ||
	             get_be16(udp + 4) != p->len || (get_be16(udp + at) & L2TP_NOT_USUAL) != 2 ||
	             dp_child_fired(w->dp, sa->child)))
		return inner_any(w, m, sa, p->next_header);
	sid = get_be16(udp + at + 4);
	rte_prefetch0(&w->dp->rx[sid]);
	if (unlikely(dp_owner(w->dp, sid) != w->id))
		return inner_any(w, m, sa, p->next_header);
	memset(udp + 6, 0, 2); /* the checksum, as in inner_udp */
	memcpy(&meta->src, &sa->peer_ip, 12);
	meta->conn = sa->conn;
	meta->in_child = sa->child;
	pkt_cut(m, at, (uint32_t)(p->len - at));
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
	enum dp_drop bad = status(w, sa, p, pkt_meta(m));

	if (unlikely(bad != DP_DROP_NONE)) {
		dp_drop(w, m, bad);
		return NULL;
	}
	m->data_off = (uint16_t)(p->data - (uint8_t *)m->buf_addr);
	m->data_len = p->len;
	m->pkt_len = p->len;
	return inner(w, m, sa, p);
}

/* What may be decrypted, in p and compacted in v. */
static uint16_t gather(struct worker *w, struct rte_mbuf **v, uint16_t n, struct esp_pkt *p)
{
	struct sa *sas[VEC_MAX];
	uint16_t found = 0, k = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct sa *sa = find(w, v[i]);

		assert(v[i]->nb_segs == 1);
		if (unlikely(sa == NULL))
			continue;
		sa_prefetch(sa);
		sas[found] = sa;
		v[found++] = v[i];
	}
	for (uint16_t i = 0; i < found; i++) {
		enum dp_drop bad;

		/* Once more, and in time: of many at once the CPU lets some fall. */
		if (i + SA_AHEAD < found)
			sa_prefetch(sas[i + SA_AHEAD]);
		bad = before(sas[i], pkt_meta(v[i]));
		if (unlikely(bad != DP_DROP_NONE)) {
			count_before(sas[i], bad);
			dp_drop(w, v[i], bad);
			continue;
		}
		p[k] = (struct esp_pkt){.sa = esp_of(sas[i]),
		                        .data = rte_pktmbuf_mtod(v[i], uint8_t *),
		                        .len = v[i]->data_len};
		v[k++] = v[i];
	}
	return k;
}

uint16_t dp_esp_in(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	struct esp_pkt p[VEC_MAX];
	uint16_t k = gather(w, v, n, p), left = 0;

	if (k == 0)
		return 0;
	esp_decrypt(w->esp_engine, p, k);
	for (uint16_t i = 0; i < k; i++) {
		struct rte_mbuf *m;

		/* The packets and keys have pushed them out. */
		if (i + SA_AHEAD < k)
			sa_prefetch(sa_by_esp(p[i + SA_AHEAD].sa));
		m = after(w, v[i], &p[i]);

		if (m != NULL)
			v[left++] = m;
	}
	return left;
}
