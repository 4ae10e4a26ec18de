/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Fragments: made as a router makes them (RFC 791 3.2), and put together when they are for us. */
#include "dataplane/ip4.h"

#include <string.h>

/* ---- making ---- */

/* The header of fragments after the first: options with the copied flag stay. Returns its length. */
static uint16_t later_header(const struct rte_ipv4_hdr *ip, uint8_t *out)
{
	const uint8_t *opt = (const uint8_t *)(ip + 1),
	              *end = (const uint8_t *)ip + ip4_hdr_len(ip);
	uint16_t n = sizeof(*ip);
	uint8_t len;

	memcpy(out, ip, sizeof(*ip));
	while (opt < end &&
	       *opt != 0) { /* RFC 791 3.1: 0 ends the list, 1 is one byte of padding */
		len = *opt == 1 ? 1 : end - opt >= 2 ? opt[1] : 0;
		if (len == 0 || len > end - opt || (len == 1 && *opt != 1))
			break;
		if (*opt & 0x80) {
			memcpy(out + n, opt, len);
			n += len;
		}
		opt += len;
	}
	while (n % 4 != 0)
		out[n++] = 0;
	out[0] = (uint8_t)(0x40 | n / 4);
	return n;
}

/* off: in bytes, of this fragment's payload in the whole packet. */
static void finish(struct rte_mbuf *m, uint16_t hl, uint16_t off, bool more)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);

	ip->total_length = rte_cpu_to_be_16(m->data_len);
	ip->fragment_offset =
	        rte_cpu_to_be_16((uint16_t)(off / 8 | (more ? RTE_IPV4_HDR_MF_FLAG : 0)));
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, hl);
}

/* All buffers first: half of a packet is of no use to anyone. */
static bool later_alloc(struct worker *w, struct rte_mbuf *out[], uint16_t n, uint16_t len)
{
	for (uint16_t i = 1; i < n; i++) {
		out[i] = dp_node_alloc(w->node, len);
		if (out[i] == NULL) {
			rte_pktmbuf_free_bulk(&out[1], i - 1u);
			return false;
		}
	}
	return true;
}

static void cut(struct rte_mbuf *m, struct rte_mbuf *out[], uint16_t n, uint16_t step)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
	uint16_t hl = ip4_hdr_len(ip), was = rte_be_to_cpu_16(ip->fragment_offset);
	uint16_t first = (uint16_t)((was & RTE_IPV4_HDR_OFFSET_MASK) * 8);
	bool more = (was & RTE_IPV4_HDR_MF_FLAG) != 0;
	uint8_t hdr[60];
	uint16_t hdr_len = later_header(ip, hdr);

	for (uint16_t i = 1; i < n; i++) {
		uint16_t at = (uint16_t)(i * step);
		uint16_t len = RTE_MIN(step, (uint16_t)(m->data_len - hl - at));
		uint8_t *p = (uint8_t *)rte_pktmbuf_append(out[i], (uint16_t)(hdr_len + len));

		memcpy(p, hdr, hdr_len);
		memcpy(p + hdr_len, rte_pktmbuf_mtod_offset(m, uint8_t *, hl + at), len);
		*pkt_meta(out[i]) = *pkt_meta(m);
		out[i]->port = m->port;
		finish(out[i], hdr_len, (uint16_t)(first + at), more || i + 1 < n);
	}
	rte_pktmbuf_trim(m, (uint16_t)(m->data_len - hl - step));
	finish(m, hl, first, true);
}

uint16_t dp_ip4_fragment(struct worker *w, struct rte_mbuf *m, uint16_t mtu,
                         struct rte_mbuf *out[FRAGS_MAX])
{
	uint16_t hl = ip4_hdr_len(rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *));
	uint16_t step, n = FRAGS_MAX + 1;

	step = mtu >= hl + 8 ? (uint16_t)((mtu - hl) & ~7) : 0;
	if (step > 0)
		n = (uint16_t)((m->data_len - hl + step - 1) / step);
	if (n > FRAGS_MAX || !later_alloc(w, out, n, mtu)) {
		dp_drop(w, m, DP_DROP_FRAG_FAILED);
		return 0;
	}
	out[0] = m;
	cut(m, out, n, step);
	w->st.fragments_made += n - 1u;
	return n;
}

/* ---- putting together ---- */

struct rte_mbuf *dp_linearize(struct worker *w, struct rte_mbuf *m)
{
	struct rte_mbuf *one = m->pkt_len <= LARGE_ROOM ? rte_pktmbuf_alloc(w->node->large) : NULL;
	const struct rte_mbuf *seg;

	if (one == NULL)
		return NULL;
	for (seg = m; seg != NULL; seg = seg->next)
		memcpy(rte_pktmbuf_append(one, seg->data_len), rte_pktmbuf_mtod(seg, void *),
		       seg->data_len);
	*pkt_meta(one) = *pkt_meta(m);
	one->port = m->port;
	one->vlan_tci = m->vlan_tci;
	one->ol_flags = m->ol_flags;
	rte_pktmbuf_free(m);
	return one;
}

/* Fragments that the table gave up; some may be chained already. */
static void bury(struct worker *w, enum dp_drop reason)
{
	struct rte_ip_frag_death_row *dr = w->dead_frags;

	for (uint32_t i = 0; i < dr->cnt; i++) {
		w->st.held -= dr->row[i]->nb_segs;
		w->st.drop[reason] += dr->row[i]->nb_segs;
	}
	rte_ip_frag_free_death_row(dr, 0);
}

struct rte_mbuf *dp_reassemble(struct worker *w, struct rte_mbuf *m, uint16_t ip_hdr_len)
{
	uint8_t l2 = pkt_meta(m)->l2_len;
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, l2);
	struct rte_mbuf *whole, *one;

	m->l2_len = l2;
	m->l3_len = ip_hdr_len;
	w->st.held++;
	whole = rte_ipv4_frag_reassemble_packet(w->reass, w->dead_frags, m, w->now, ip);
	bury(w, DP_DROP_REASS_FAILED);
	if (whole == NULL)
		return NULL;
	w->st.held -= whole->nb_segs;
	w->st.fragments_merged += whole->nb_segs - 1u;
	one = dp_linearize(w, whole);
	if (one == NULL) {
		dp_drop(w, whole, DP_DROP_REASS_BUFFER);
		return NULL;
	}
	/* What a port said of the first fragment says nothing of the whole. */
	one->ol_flags &= RTE_MBUF_F_RX_VLAN_STRIPPED;
	/* The library leaves the checksum out; a twin or another worker will look at it. */
	l2 = pkt_meta(one)->l2_len; /* of the first fragment: it may have come in elsewhere */
	ip = rte_pktmbuf_mtod_offset(one, struct rte_ipv4_hdr *, l2);
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, ip4_hdr_len(ip));
	assert(l2 + rte_be_to_cpu_16(ip->total_length) == one->data_len);
	return one;
}

void dp_reassembly_timer(struct worker *w)
{
	rte_ip_frag_table_del_expired_entries(w->reass, w->dead_frags, w->now);
	bury(w, DP_DROP_REASS_TIMEOUT);
}
