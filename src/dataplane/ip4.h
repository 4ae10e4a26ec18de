/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What stages share about IPv4 and UDP headers. All lengths are checked by the caller unless said. */
#pragma once

#include "dataplane/priv.h"

#include <netinet/in.h>
#include <string.h>

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

/* One hop less, and the checksum with it (RFC 1141 2); 0 stays 0, and is not 0xffff (RFC 1624 3). */
static inline void ip4_ttl_down(struct rte_ipv4_hdr *ip)
{
	uint32_t sum = ip->hdr_checksum + (uint32_t)rte_cpu_to_be_16(0x0100);

	ip->time_to_live--;
	ip->hdr_checksum = (uint16_t)(sum + (sum >= 0xffff));
}

/* Replaces a 16-bit word under a checksum; all in network order (RFC 1624 3). */
static inline uint16_t cksum_replace(uint16_t sum, uint16_t old, uint16_t new)
{
	uint32_t s = (uint32_t)(uint16_t)~sum + (uint16_t)~old + new;

	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

/*
 * The one's complement sum of len bytes and a start, not folded (RFC 1071 2: the order of bytes and
 * the width of words do not matter). Eight bytes a step: DPDK's sums two, and is four times slower.
 */
static inline uint64_t sum_bytes(const void *bytes, size_t len, uint64_t sum)
{
	const uint8_t *p = bytes;
	uint64_t word, odd = 0;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		sum += (uint32_t)word;
		odd += word >> 32;
	}
	word = 0;
	memcpy(&word, p, len);
	return sum + odd + (uint32_t)word + (word >> 32);
}

static inline uint16_t sum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/*
 * RFC 768: the folded sum over pseudo header, header and data, 0xffff when the checksum in it is
 * right. Addresses in network order.
 */
static inline uint16_t udp4_sum(const struct rte_udp_hdr *udp, uint16_t len, rte_be32_t src,
                                rte_be32_t dst)
{
	uint64_t sum = (uint64_t)src + dst + rte_cpu_to_be_16(IPPROTO_UDP) + rte_cpu_to_be_16(len);

	return sum_fold(sum_bytes(udp, len, sum));
}

/* Fills the checksum in; it never comes out as 0, which means none. */
static inline void udp4_fill(struct rte_udp_hdr *udp, uint16_t len, rte_be32_t src, rte_be32_t dst)
{
	uint16_t sum;

	udp->dgram_cksum = 0;
	sum = (uint16_t)~udp4_sum(udp, len, src, dst);
	udp->dgram_cksum = sum == 0 ? 0xffff : sum;
}

/* True when an L2TP datagram's UDP checksum is absent or right, as far as the port has not said. */
static inline bool udp4_verify(const struct rte_mbuf *m, const struct rte_udp_hdr *udp,
                               uint16_t len, uint32_t src, uint32_t dst)
{
	uint64_t said = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	if (udp->dgram_cksum == 0 || said == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return true;
	return udp4_sum(udp, len, rte_cpu_to_be_32(src), rte_cpu_to_be_32(dst)) == 0xffff;
}
