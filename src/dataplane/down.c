/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Stage: the usual packet to a subscriber, all the way from the network to a port.
 *
 * In: transit packets as ip4_lookup takes them, and those that w->frames_down names as they came, still at
 * their Ethernet header. Out: what is not usual, for ip4_lookup and the stages behind it, which know all
 * cases and count what they drop. What is usual is done in one pass, with nothing of it written to the
 * metadata in between: a packet for an open session of this worker that fits the way to the peer, whose
 * next hop is known. Of a session in a child, in transport mode and far from its SA's limits: down_esp.c.
 *
 * Packets of a session keep their order: behind one that is not usual, none of its session is.
 */
#include "dataplane/down_esp.h"
#include "dataplane/l2tp.h"
#include "dataplane/outer.h"

#define USUAL_MASK (SESS_VALID | SESS_OPEN | SESS_BOUND | SESS_SEQ)
#define USUAL      (SESS_VALID | SESS_OPEN)

/*
 * The packet at ip in m, for session sid of this worker, if it still is there (0: of no one). False, and nothing
 * has happened, when it is not usual. Its first right bytes add up to nothing (outer_udp_put).
 */
static inline bool forward(struct worker *w, struct rte_mbuf *m, struct rte_ipv4_hdr *ip,
                           uint16_t sid, struct way *way, uint32_t right)
{
	const struct dp *dp = w->dp;
	struct sess_tx *t = &dp->tx[sid];
	const uint16_t flags = t->flags;
	const uint32_t len = rte_be_to_cpu_16(ip->total_length);
	const uint32_t headers = outer_udp_len(t, false), peer = rte_be_to_cpu_32(t->dst_ip);
	uint8_t *outer = (uint8_t *)ip - headers - OUTER_IP4;

	if (unlikely((flags & USUAL_MASK) != USUAL || t->sub_ip != rte_be_to_cpu_32(ip->dst_addr) ||
	             ip->time_to_live <= 1 || len > t->mtu ||
	             ((flags & SESS_CLAMP) != 0 && ip4_is_syn(ip, len))))
		return false;
	if (unlikely(!way_route(dp, way, peer) || len + headers + OUTER_IP4 > way->mtu ||
	             (uint8_t *)ip - (uint8_t *)m->buf_addr < SESS_HEADERS_MAX + WAY_L2))
		return false;
	t->packets++;
	outer_udp_put(t, flags, (uint8_t *)ip, headers, len, right);
	ip4_ttl_down(ip);
	outer_ip4(w, t, outer, len + headers + OUTER_IP4, false);
	way_send(w, way, m, outer, len + headers + OUTER_IP4);
	t->bytes += len; /* apart from packets, or the compiler adds both as a vector, slowly */
	return true;
}

/* Puts L2TP's length where it belongs, if it does, and returns the UDP checksum where it stands behind the length. */
static inline uint32_t frame_more(const struct sess_tx *t, uint32_t flags, uint8_t *ip,
                                  uint32_t headers, uint32_t len)
{
	if (flags & SESS_LENGTH)
		put_be16(ip - headers + OUTER_UDP + 2, (uint16_t)(headers + len - OUTER_UDP));
	return flags & SESS_UDP_SUM ? (uint32_t)outer_sum(t, ip, len, OUTER_IP4) << 16 : 0;
}

/*
 * The usual frame m, which stands where it came, for session t, by the way of r and with number id. False, and
 * nothing has happened: by another way, or forward knows more. Without more, none of OUTER_MORE is usual. Exact: other
 * peers' ways are others.
 */
static __rte_always_inline bool frame_down(const struct rte_lpm *lpm, const struct way_run *r,
                                           struct rte_mbuf *m, struct sess_tx *t, uint32_t id,
                                           bool more, bool exact)
{
	uint8_t *ip = (uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM + AT_IP, *udp, *outer;
	const uint64_t flags = t->flags, len = get_be16(ip + AT_LENGTH - AT_IP);
	const uint64_t headers = t->headers, total = len + headers + OUTER_IP4;
	uint32_t hop, sum;
	uint64_t word;

	static_assert(RTE_PKTMBUF_HEADROOM + AT_IP >= SESS_HEADERS_MAX + WAY_L2, "room");
	memcpy(&hop, ip + offsetof(struct rte_ipv4_hdr, time_to_live), sizeof(hop));
	if (unlikely((flags & (USUAL_MASK | (more ? 0 : OUTER_MORE))) != USUAL ||
	             t->sub_ip != get_be32(ip + AT_DST - AT_IP) || (uint8_t)hop <= 1 ||
	             hop >= 0xfffe0000 || len > t->mtu ||
	             (more && (flags & SESS_CLAMP) != 0 && ip4_is_syn((void *)ip, (uint32_t)len)) ||
	             (exact ? t->dst_ip != r->ip
	                    : way_entry_at(lpm, rte_be_to_cpu_32(t->dst_ip)) != r->entry) ||
	             total > r->mtu))
		return false;
	t->packets++;
	/* ip4_ttl_down where nothing is carried. */
	hop += 0x10000 - 1;
	memcpy(ip + offsetof(struct rte_ipv4_hdr, time_to_live), &hop, sizeof(hop));
	/* A line begins 14 bytes before ip: what would reach across is slow, so it goes in pieces. */
	static_assert(SESS_FRAMING_MAX == 16, "12 bytes without sequence numbers");
	memcpy(ip - 8, t->framing + 8, 8);
	memcpy(ip - 12, t->framing + 4, 4);
	udp = ip - headers;
	memcpy(udp, &t->src_port, 4);
	sum = rte_bswap32((uint32_t)(headers + len)) >> 16;
	if (more)
		sum |= frame_more(t, (uint32_t)flags, ip, (uint32_t)headers, (uint32_t)len);
	memcpy(udp + 4, &sum, 4);
	outer = udp - OUTER_IP4;
	/* IPv4's words in host order, until they are put. */
	word = (uint64_t)RTE_IPV4_VHL_DEF << 56 | total << 32 | (uint64_t)id << 16 |
	       (flags & SESS_DF) * (RTE_IPV4_HDR_DF_FLAG / SESS_DF);
	word = rte_cpu_to_be_64(word);
	memcpy(outer, &word, sizeof(word));
	sum = t->ip_sum + (uint32_t)total + id;
	sum += sum << 16 | sum >> 16;
	sum = rte_cpu_to_be_32((OUTER_TTL << 8 | IPPROTO_UDP) << 16 | ~sum >> 16);
	memcpy(outer + 8, &sum, sizeof(sum));
	memcpy(&word, &t->src_ip, sizeof(word));
	memcpy(outer + 12, &word, sizeof(word));
	way_run_frame(r, m, outer, total);
	t->bytes += len;
	return true;
}

/* n frames, up to the first one that is not usual or goes another way, which the first peer's is: how many. */
static __rte_always_inline uint16_t frames_by(struct worker *w, const struct way *way,
                                              struct rte_mbuf **v, const uint16_t *sid, uint16_t n,
                                              bool more, bool exact)
{
	struct sess_tx *tx = w->dp->tx;
	const struct way_run r = way_run_of(way, rte_be_to_cpu_32(tx[sid[0]].dst_ip));
	const struct rte_lpm *lpm = w->dp->lpm;
	const uint32_t id_step = w->dp->conf.n_workers, id_first = w->id;
	struct vec *b = way_buffer(w, way->port, n);
	struct rte_mbuf **to = b->v + b->n;
	uint32_t id = w->ip_id;
	size_t i;

	for (i = 0; i < n; i++) {
		const uint32_t next = dp_ip_id_behind(id, id_step, id_first);

		if (unlikely(!frame_down(lpm, &r, v[i], &tx[sid[i]], next, more, exact)))
			break;
		id = next;
		to[i] = v[i];
	}
	w->ip_id = (uint16_t)id;
	way_filled(w, way->port, b, i);
	return (uint16_t)i;
}

static __rte_noinline uint16_t frames_plain(struct worker *w, const struct way *way,
                                            struct rte_mbuf **v, const uint16_t *sid, uint16_t n)
{
	return frames_by(w, way, v, sid, n, false, false);
}

static __rte_noinline uint16_t frames_more(struct worker *w, const struct way *way,
                                           struct rte_mbuf **v, const uint16_t *sid, uint16_t n)
{
	return frames_by(w, way, v, sid, n, true, false);
}

static __rte_noinline uint16_t frames_exact(struct worker *w, const struct way *way,
                                            struct rte_mbuf **v, const uint16_t *sid, uint16_t n)
{
	return frames_by(w, way, v, sid, n, true, true);
}

/* n frames as they came, up to the first one that is not usual: how many. */
static uint16_t frames_down(struct worker *w, struct way *way, struct rte_mbuf **v,
                            const uint16_t *sid, uint16_t n)
{
	uint16_t i = 0, last;

	do {
		const struct sess_tx *t = &w->dp->tx[sid[i]];
		const uint32_t peer = rte_be_to_cpu_32(t->dst_ip);

		if ((t->flags & USUAL_MASK) != USUAL || !way_route(w->dp, way, peer))
			break;
		last = i;
		/* Of a network that is connected, and of one with exceptions, the routes' entry does not say it all. */
		if (unlikely(way_entry(w->dp, peer) != way->entry))
			i += frames_exact(w, way, v + i, sid + i, n - i);
		else if ((t->flags & OUTER_MORE) == 0)
			i += frames_plain(w, way, v + i, sid + i, n - i);
		else
			i += frames_more(w, way, v + i, sid + i, n - i);
	} while (i < n && i != last);
	return i;
}

__rte_noinline void dp_frame_transit(const struct worker *w, struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, AT_IP);
	struct pkt_meta *meta = pkt_meta(m);

	pkt_meta_init(meta);
	meta->in_if = w->dp->ports[m->port].vlan_if[0];
	meta->l2_len = AT_IP;
	meta->nh = dp_nh_lookup(w->dp, rte_be_to_cpu_32(ip->dst_addr));
	meta->flags |= PKT_ROUTED;
	pkt_cut(m, AT_IP, rte_be_to_cpu_16(ip->total_length));
}

/* How many of the lowest bits are set, one after the other. */
static inline uint16_t ones(uint64_t bits)
{
	return ~bits == 0 ? 64 : (uint16_t)__builtin_ctzll(~bits);
}

uint16_t dp_down_usual(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	struct way way = WAY_NONE;
	struct seals seals;
	const uint32_t keys = esp_keys_ahead(w->esp_engine);
	const uint64_t frames = w->frames_down;
	uint64_t behind = 0; /* bits of sessions that have to wait */
	bool bound;
	uint16_t k = 0;

	w->frames_down = 0;
	seals.n = seals.n_ways = seals.n_burst = 0;
	/* Once more, as up does it. Few sessions are there already. */
	if (dp_subs_many(w->dp)) {
		for (uint16_t i = 0; i < n; i++)
			rte_prefetch0(&w->dp->tx[w->down_to[i]]);
	}
	/* Where one is bound, so are most. */
	bound = n > 0 && (w->dp->tx[w->down_to[0]].flags & SESS_BOUND) != 0;
	if (bound)
		dp_seals_ahead(w, v, n, &seals);
	for (uint16_t i = 0; i < n; i++) {
		struct rte_ipv4_hdr *ip;
		struct rte_mbuf *m;
		uint16_t sid;
		bool frame;

		if ((frames >> i & 1) != 0 && behind == 0)
			i += bound ? dp_frames_seal(w, &way, v, i, ones(frames >> i), &seals)
			           : frames_down(w, &way, v + i, w->down_to + i, ones(frames >> i));
		if (i == n)
			break;
		m = v[i];
		sid = w->down_to[i];
		frame = (frames >> i & 1) != 0;
		ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, frame ? AT_IP : 0);
		assert(m->nb_segs == 1);
		if (bound && i + keys < n)
			seal_ahead(seals.sa[i + keys], v[i + keys]);
		if (likely((behind >> (sid & 63) & 1) == 0 &&
		           ((w->dp->tx[sid].flags & SESS_BOUND) == 0
		                    ? forward(w, m, ip, sid, &way, frame ? OUTER_IP4 : 0)
		                    : dp_seal_add(w, m, (uint8_t *)ip, sid, &way, frame, &seals))))
			continue;
		if (frame)
			dp_frame_transit(w, m);
		if (sid != 0)
			behind |= 1ull << (sid & 63);
		v[k++] = m;
	}
	if (seals.n > 0)
		dp_seals_send(w, &seals);
	return k;
}
