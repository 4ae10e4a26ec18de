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

/* The one's complement sum of two words (RFC 1071 2: an end-around carry, whatever the width). */
static inline uint64_t sum_add(uint64_t a, uint64_t b)
{
	uint64_t sum;
	bool carry = __builtin_add_overflow(a, b, &sum);

	return sum + carry;
}

static inline uint16_t sum_fold(uint64_t sum)
{
	uint32_t s;

	/* The upper half of a word added to itself turned by half of it is its folded sum. */
	sum += sum << 32 | sum >> 32;
	s = (uint32_t)(sum >> 32);
	s += s << 16 | s >> 16;
	return (uint16_t)(s >> 16);
}

/* True when the checksum in a header without options is right. */
static inline bool ip4_sum20_right(const struct rte_ipv4_hdr *ip)
{
	const uint8_t *p = (const void *)ip;
	uint64_t a, b;
	uint32_t c;

	memcpy(&a, p, 8);
	memcpy(&b, p + 8, 8);
	memcpy(&c, p + 16, 4);
	a = sum_add(sum_add(a, b), c);
	a += a << 32 | a >> 32;
	c = (uint32_t)(a >> 32);
	/* sum_fold's last step: its upper half is 0xffff. */
	return c + (c << 16 | c >> 16) >= 0xffff0000u;
}

/* ip4_check of all that is not usual: options, or something is wrong. */
enum dp_drop dp_ip4_check_rest(const struct rte_ipv4_hdr *ip, uint32_t len, bool sum_ok);

/* True for a header without options in which ip4_check finds nothing wrong. */
static inline bool ip4_usual(const struct rte_ipv4_hdr *ip, uint32_t len, bool sum_ok)
{
	uint32_t total;

	if (unlikely(len < sizeof(*ip) || ip->version_ihl != RTE_IPV4_VHL_DEF))
		return false;
	total = rte_be_to_cpu_16(ip->total_length);
	return total - sizeof(*ip) <= len - sizeof(*ip) && (sum_ok || ip4_sum20_right(ip));
}

/*
 * What is wrong with an IPv4 header of which len bytes of packet are there (RFC 1812 5.2.2), or
 * DP_DROP_NONE. sum_ok: the port has verified the header's checksum.
 */
static inline enum dp_drop ip4_check(const struct rte_ipv4_hdr *ip, uint32_t len, bool sum_ok)
{
	return likely(ip4_usual(ip, len, sum_ok)) ? DP_DROP_NONE
	                                          : dp_ip4_check_rest(ip, len, sum_ok);
}

/* Never a source on the wire: 0/8, 127/8, multicast, 240/4 (RFC 1812 5.3.7). Host order. */
static inline bool ip4_martian_src(uint32_t a)
{
	uint32_t net = a >> 24;

	return net - 1 >= 223 || net == 127;
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
	const uint8_t *p = bytes, *end = p + len;
	uint64_t word, tail = 0;

	if (likely(len >= 8)) {
		do {
			memcpy(&word, p, 8);
			sum = sum_add(sum, word);
			p += 8;
		} while (end - p >= 8);
		/* The last 8 bytes, without those that have been summed. */
		memcpy(&word, end - 8, 8);
		return sum_add(sum, word >> 8 >> (56 - 8 * (end - p)));
	}
	if (len & 4) {
		uint32_t four;

		memcpy(&four, p, 4);
		sum = sum_add(sum, four);
		p += 4;
	}
	if (len & 2)
		tail = p[0] | (uint64_t)p[1] << 8;
	if (len & 1)
		tail += p[len & 2];
	return sum_add(sum, tail);
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

/* Before dp_mss_clamp: true for the start of a TCP connection, of which there are few. len: of the packet. */
static inline bool ip4_is_syn(const struct rte_ipv4_hdr *ip, uint32_t len)
{
	uint32_t flags = ip4_hdr_len(ip) + 13u; /* offset (RFC 9293 3.1) */

	return ip->next_proto_id == IPPROTO_TCP &&
	       (ip->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_OFFSET_MASK)) == 0 &&
	       flags < len && (((const uint8_t *)ip)[flags] & 2) != 0;
}

static inline bool ip4_tcp_syn(struct rte_mbuf *m)
{
	return ip4_is_syn(rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *), m->data_len);
}
