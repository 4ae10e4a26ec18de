/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Stage: IPv4 packets onto links.
 *
 * In: at the IPv4 header, route and next hop in the metadata. Out: at the Ethernet header, no larger
 * than the link takes, interface in the metadata. Packets whose next hop is not known yet are held.
 */
#include "dataplane/ip4.h"
#include "dataplane/link.h"

#include <rte_ether.h>

#define WORD 8

/* In words that overlap: first the addresses, then the end of the header up to the IPv4 header. */
static inline bool l2_write(struct worker *w, struct rte_mbuf *m, uint16_t ifidx, uint64_t mac)
{
	const struct interface *ifc = &w->dp->ifs[ifidx];
	const uint16_t len = ifc->l2_len;
	uint8_t *p;

	if (unlikely(m->data_off < len)) {
		dp_drop(w, m, DP_DROP_NO_HEADROOM);
		return false;
	}
	pkt_cut(m, -len, (uint32_t)(m->data_len + len));
	p = rte_pktmbuf_mtod(m, uint8_t *);
	memcpy(p, &mac, WORD);
	memcpy(p + RTE_ETHER_ADDR_LEN, ifc->l2 + RTE_ETHER_ADDR_LEN, WORD);
	memcpy(p + len - WORD, ifc->l2 + len - WORD, WORD);
	pkt_meta(m)->out_if = ifidx;
	return true;
}

bool dp_l2_write(struct worker *w, struct rte_mbuf *m, uint16_t ifidx, uint64_t mac)
{
	return l2_write(w, m, ifidx, mac);
}

/* In registers: what is written in pieces is slow to be read as a whole. */
static void way_header(struct way *way, const struct interface *ifc)
{
	const uint64_t mac = way->mac & ~MAC_KNOWN;
	uint64_t src;

	memcpy(&src, ifc->l2 + RTE_ETHER_ADDR_LEN,
	       sizeof(src)); /* .. and type, or what the tag begins with */
	memcpy(&way->end, ifc->l2 + ifc->l2_len - WORD, WORD);
	if (ifc->l2_len == RTE_ETHER_HDR_LEN) {
		way->before = mac << 16;
	} else {
		way->before = mac >> 16 | src << 32;
		way->first = mac | src << 48;
	}
}

bool dp_way_find(const struct dp *dp, struct way *way, uint32_t nh, uint32_t ip)
{
	const struct nh *hop = &dp->nh[nh];
	const struct interface *ifc = &dp->ifs[hop->ifidx];
	uint64_t mac = 0;

	if (hop->kind == DP_RT_VIA)
		mac = __atomic_load_n(&dp->neigh[hop->neigh].mac, __ATOMIC_RELAXED);
	else if (hop->kind == DP_RT_CONNECTED)
		mac = dp_neigh_mac(dp, hop->ifidx, ip);
	if (mac == 0)
		return false;
	way->nh = nh + 1;
	way->entry = WAY_NO_ENTRY;
	way->ip = ip;
	way->ip_mask = hop->kind == DP_RT_VIA ? 0 : UINT32_MAX;
	way->mac = mac;
	way->ifidx = hop->ifidx;
	way->mtu = ifc->conf.mtu;
	way->port = ifc->conf.port_id;
	way->tx_at = (uint32_t)(way->port * sizeof(struct vec));
	way->l2_len = ifc->l2_len;
	way_header(way, ifc);
	return true;
}

bool dp_way_route(const struct dp *dp, struct way *way, uint32_t ip)
{
	const uint32_t entry = way_entry(dp, ip);
	uint32_t nh;

	if ((entry & RTE_LPM_VALID_EXT_ENTRY_BITMASK) == RTE_LPM_VALID_EXT_ENTRY_BITMASK)
		return way_to(dp, way, dp_nh_lookup(dp, ip), ip);
	/* Not looked up again: what is remembered must be what has been followed. */
	nh = (entry & RTE_LPM_LOOKUP_SUCCESS) != 0
	             ? entry & 0xffffff
	             : __atomic_load_n(&dp->default_nh, __ATOMIC_ACQUIRE);
	if (!way_to(dp, way, nh, ip))
		return false;
	way->entry = way->ip_mask == 0 ? entry : WAY_NO_ENTRY;
	return true;
}

/* Larger than the link's MTU: v[0..k) leave first, to keep the order. */
static __rte_noinline void too_big(struct worker *w, struct rte_mbuf *m, uint16_t mtu)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
	struct rte_mbuf *frags[FRAGS_MAX];
	uint16_t n;

	if (ip4_dont_fragment(ip)) {
		dp_punt_icmp(w, m, DP_ICMP_TOO_BIG, mtu, DP_DROP_IP4_TOO_BIG);
		return;
	}
	n = dp_ip4_fragment(w, m, mtu, frags);
	dp_output(w, frags, n);
}

uint16_t dp_ip4_out(struct worker *w, struct rte_mbuf **v, uint16_t n)
{
	struct way way = {0};
	uint16_t k = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = v[i];
		const struct pkt_meta *meta = pkt_meta(m);
		uint16_t ifidx = w->dp->nh[meta->nh].ifidx, mtu = w->dp->ifs[ifidx].conf.mtu;

		assert(m->nb_segs == 1 && (meta->flags & PKT_ROUTED) != 0);
		if (unlikely(m->data_len > mtu)) {
			dp_tx(w, v, k);
			k = 0;
			too_big(w, m, mtu);
			continue;
		}
		if (unlikely(!way_to(w->dp, &way, meta->nh, meta->next_hop)))
			dp_hold(w, m, ifidx, meta->next_hop);
		else if (l2_write(w, m, ifidx, way.mac))
			v[k++] = m;
	}
	return k;
}
