/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Stage: ESP packets (RFC 4303), from their IP or UDP header (RFC 3948) to L2TP.
 *
 * In: at the ESP header, cut to the outer length, of an SPI of this worker; outer addresses in the metadata.
 * Out: L2TP data messages at the L2TP header, as classify gives them, with the inner addresses and the
 * connection in the metadata. Elsewhere: L2TP control messages to control.
 *
 * The UDP checksum is not looked at: the ICV covers the message, and NAT makes it wrong (RFC 3948 3.1.2).
 */
#include "dataplane/esp_in.h"
#include "dataplane/l2tp.h"

static_assert(VEC_MAX <= ESP_BURST_MAX, "a vector is one burst");

#define L2TP_TID  4 /* offset of the tunnel id in a control message (RFC 2661 3.1) */
#define NEXT_IPV4 4 /* next header of tunnel mode: IPv4 in IP */

/* ---- before ---- */

void dp_esp_refuse(struct worker *w, struct rte_mbuf *m, struct sa *sa)
{
	if (sa->takes == SA_TAKES_NONE) {
		dp_drop(w, m, DP_DROP_ESP_EXPIRED);
		return;
	}
	dp_sa_drops(w, sa)->selector_errors++;
	dp_drop(w, m, DP_DROP_ESP_SELECTOR);
}

/* ---- what the packet says of the SA ---- */

/* The peer's NAT has given it another address or port: control decides (RFC 3948, RFC 7296 2.23). */
static void mapping(struct worker *w, struct sa *sa, uint64_t from)
{
	const struct sa_cold *c = sa_cold(sa);

	if (likely(from == c->home))
		from = 0;
	if (unlikely(c->mapping != from))
		dp_sa_moved(w, sa, from);
}

/* An authenticated packet, when a limit may be near or it is the first one. */
static __rte_noinline enum dp_drop account_watched(struct worker *w, struct sa *sa,
                                                   const struct esp_pkt *p, uint64_t from)
{
	const struct sa_limits *l = sa_limits(sa);

	/* An earlier one of the same burst may have been the last. */
	if (unlikely(sa->takes == SA_TAKES_NONE))
		return DP_DROP_ESP_EXPIRED;
	if (unlikely(sa->packets >= l->hard_packets || sa->bytes + p->len > l->hard_bytes)) {
		dp_sa_expire(w, sa);
		return DP_DROP_ESP_EXPIRED;
	}
	if (unlikely((sa_cold(sa)->said & 1u << DP_SA_FIRST) == 0))
		dp_sa_first(w, sa);
	if (sa->takes != 0 && p->newest)
		mapping(w, sa, from);
	sa->packets++;
	sa->bytes += p->len;
	sa->last = w->now;
	if (unlikely(sa->packets >= l->soft_packets || sa->bytes >= l->soft_bytes ||
	             esp_sa_seq(p->sa) >= sa_soft_seq(sa)))
		dp_sa_event_once(w, sa, DP_SA_SOFT);
	dp_sa_watch(sa);
	return DP_DROP_NONE;
}

/* An authenticated packet. */
static inline enum dp_drop account(struct worker *w, struct sa *sa, const struct esp_pkt *p,
                                   uint64_t from)
{
	/* What is not soft for a number of 32 bits is for none. */
	if (unlikely(sa->credit == 0 || esp_sa_seq(p->sa) >= SA_SEQ_SOFT))
		return account_watched(w, sa, p, from);
	sa->credit--;
	sa->packets++;
	sa->bytes += p->len;
	sa->last = w->now;
	if (unlikely(sa->takes != 0) && p->newest)
		mapping(w, sa, from);
	return DP_DROP_NONE;
}

/* Not ESP_OK. */
static __rte_noinline enum dp_drop failed(struct worker *w, struct sa *sa, const struct esp_pkt *p,
                                          uint64_t from)
{
	enum dp_drop bad;

	switch (p->status) {
	case ESP_DUMMY:
		bad = account(w, sa, p, from);
		return bad != DP_DROP_NONE ? bad : DP_DROP_ESP_DUMMY;
	case ESP_REPLAY:
		dp_sa_drops(w, sa)->replays++;
		return DP_DROP_ESP_REPLAY;
	case ESP_AUTH:
		dp_sa_drops(w, sa)->auth_errors++;
		return DP_DROP_ESP_AUTH;
	case ESP_PAD:
		dp_sa_drops(w, sa)->pad_errors++;
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
	if (unlikely(len < sizeof(*u) || len > m->data_len || !esp_ports_match(sa, ports)))
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

struct rte_mbuf *dp_esp_inner(struct worker *w, struct rte_mbuf *m, struct sa *sa,
                              const struct esp_pkt *p)
{
	uint16_t len = 0;

	m->data_off = (uint16_t)(p->data - (uint8_t *)m->buf_addr);
	m->data_len = p->len;
	m->pkt_len = p->len;
	if (likely(sa->tunnel_mode ? p->next_header == NEXT_IPV4 && inner_ip4(m, sa)
	                           : p->next_header == IPPROTO_UDP))
		len = inner_udp(m, sa);
	if (unlikely(len == 0)) {
		dp_sa_drops(w, sa)->selector_errors++;
		dp_drop(w, m, DP_DROP_ESP_SELECTOR);
		return NULL;
	}
	len -= (uint16_t)sizeof(struct rte_udp_hdr);
	if (unlikely(dp_child_fired(w->dp, sa->in.child)) &&
	    !passes_latch(w->dp, sa,
	                  rte_pktmbuf_mtod_offset(m, const uint8_t *, sizeof(struct rte_udp_hdr)),
	                  len)) {
		dp_sa_drops(w, sa)->latched++;
		dp_drop(w, m, DP_DROP_SS_FIRED);
		return NULL;
	}
	return dp_l2tp_message(w, m, sizeof(struct rte_udp_hdr), len);
}

enum dp_drop dp_esp_account(struct worker *w, struct sa *sa, const struct esp_pkt *p, uint64_t from)
{
	return likely(p->status == ESP_OK) ? account(w, sa, p, from) : failed(w, sa, p, from);
}

/* ---- esp_in ---- */

const struct spi_slot *dp_esp_slot(struct worker *w, struct rte_mbuf *m, uint32_t spi)
{
	const struct spi_slot *slot = &w->dp->spi[spi_slot(spi)];

	if (likely(spi >= SPI_MIN && __atomic_load_n(&slot->spi, __ATOMIC_ACQUIRE) == spi))
		return slot;
	dp_drop(w, m, DP_DROP_ESP_UNKNOWN_SPI);
	return NULL;
}

/* NULL: held or dropped. Packets that were held have their SA already. */
static struct sa *find(struct worker *w, struct rte_mbuf *m)
{
	struct pkt_meta *meta = pkt_meta(m);
	const struct spi_slot *slot;
	uint32_t spi;

	if (meta->sa != NULL)
		return meta->sa;
	spi = get_be32(rte_pktmbuf_mtod(m, const uint8_t *));
	slot = dp_esp_slot(w, m, spi);
	if (slot == NULL)
		return NULL;
	if (slot->sa == NULL)
		dp_esp_hold(w, m, spi);
	return slot->sa;
}

/* What may be decrypted, in p and compacted in v. */
static uint16_t gather(struct worker *w, struct rte_mbuf **v, uint16_t n, struct esp_pkt *p)
{
	uint16_t k = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = v[i];
		struct sa *sa = find(w, m);

		assert(m->nb_segs == 1);
		if (sa == NULL)
			continue;
		if ((pkt_meta(m)->flags & PKT_ENCAP) != sa->takes) {
			dp_esp_refuse(w, m, sa);
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
	uint16_t left = 0;

	n = gather(w, v, n, p);
	esp_decrypt(w->esp_engine, p, n);
	for (uint16_t i = 0; i < n; i++) {
		struct sa *sa = sa_by_esp(p[i].sa);
		struct rte_mbuf *m = v[i];
		enum dp_drop bad = dp_esp_account(w, sa, &p[i], esp_meta_from(pkt_meta(m)));

		if (bad != DP_DROP_NONE)
			dp_drop(w, m, bad);
		else if ((m = dp_esp_inner(w, m, sa, &p[i])) != NULL)
			v[left++] = m;
	}
	return left;
}
