/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What stages share about IPv4 and UDP headers. All lengths are checked by the caller unless said. */
#pragma once

#include "dataplane/priv.h"

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_udp.h>

static inline uint16_t ip4_hdr_len(const struct rte_ipv4_hdr *ip)
{
	return (uint16_t)((ip->version_ihl & 15) * 4);
}

static inline bool ip4_is_fragment(const struct rte_ipv4_hdr *ip)
{
	return (ip->fragment_offset &
	        rte_cpu_to_be_16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) != 0;
}

static inline bool ip4_dont_fragment(const struct rte_ipv4_hdr *ip)
{
	return (ip->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG)) != 0;
}

/*
 * What is wrong with an IPv4 header of which len bytes of packet are there (RFC 1812 5.2.2), or
 * DP_DROP_NONE. sum_ok: the port has verified the header's checksum.
 */
static inline enum dp_drop ip4_check(const struct rte_ipv4_hdr *ip, uint32_t len, bool sum_ok)
{
	uint16_t total;

	if (unlikely(len < sizeof(*ip)))
		return DP_DROP_IP4_SHORT;
	if (unlikely(ip->version_ihl >> 4 != 4 || ip4_hdr_len(ip) < sizeof(*ip)))
		return DP_DROP_IP4_HEADER;
	total = rte_be_to_cpu_16(ip->total_length);
	if (unlikely(total < ip4_hdr_len(ip) || total > len))
		return DP_DROP_IP4_LENGTH;
	if (!sum_ok && unlikely(rte_raw_cksum(ip, ip4_hdr_len(ip)) != 0xffff))
		return DP_DROP_IP4_CHECKSUM;
	return DP_DROP_NONE;
}

/* Never a source on the wire: 0/8, 127/8, multicast, 240/4 (RFC 1812 5.3.7). Host order. */
static inline bool ip4_martian_src(uint32_t a)
{
	return a >> 24 == 0 || a >> 24 == 127 || a >> 28 >= 14;
}

/* Never forwarded to as unicast: as above. */
static inline bool ip4_martian_dst(uint32_t a)
{
	return ip4_martian_src(a);
}

/* One hop less, and the checksum with it (RFC 1624 3). */
static inline void ip4_ttl_down(struct rte_ipv4_hdr *ip)
{
	uint32_t sum = ip->hdr_checksum + (uint32_t)rte_cpu_to_be_16(0x0100);

	ip->time_to_live--;
	ip->hdr_checksum = (uint16_t)(sum + (sum >> 16));
}

/* Replaces a 16-bit word under a checksum; all in network order (RFC 1624 3). */
static inline uint16_t cksum_replace(uint16_t sum, uint16_t old, uint16_t new)
{
	uint32_t s = (uint32_t)(uint16_t)~sum + (uint16_t)~old + new;

	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

/* RFC 768: the sum over pseudo header, header and data. Addresses in host order. */
static inline bool udp4_sum_ok(const struct rte_udp_hdr *udp, uint16_t len, uint32_t src,
                               uint32_t dst)
{
	struct {
		uint32_t src, dst;
		uint8_t zero, proto;
		uint16_t len;
	} pseudo = {rte_cpu_to_be_32(src), rte_cpu_to_be_32(dst), 0, IPPROTO_UDP,
	            rte_cpu_to_be_16(len)};
	uint32_t sum = __rte_raw_cksum(&pseudo, sizeof(pseudo), 0);

	return __rte_raw_cksum_reduce(__rte_raw_cksum(udp, len, sum)) == 0xffff;
}

/* True when an L2TP datagram's UDP checksum is absent or right, as far as the port has not said. */
static inline bool udp4_verify(const struct rte_mbuf *m, const struct rte_udp_hdr *udp,
                               uint16_t len, uint32_t src, uint32_t dst)
{
	uint64_t said = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	if (udp->dgram_cksum == 0 || said == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return true;
	return udp4_sum_ok(udp, len, src, dst);
}
