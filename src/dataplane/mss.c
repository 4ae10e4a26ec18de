/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The MSS option of TCP SYNs, so that hosts behind a tunnel never need fragments. */
#include "dataplane/ip4.h"

#include <rte_tcp.h>

#define TCP_SYN     0x02
#define TCP_OPT_END 0
#define TCP_OPT_NOP 1
#define TCP_OPT_MSS 2 /* RFC 9293 3.2: kind 2, length 4 */

/* The two bytes of the option's value, or NULL. */
static uint8_t *mss_option(uint8_t *opt, const uint8_t *end)
{
	while (end - opt >= 2 && *opt != TCP_OPT_END) {
		if (*opt == TCP_OPT_NOP) {
			opt++;
			continue;
		}
		if (opt[1] < 2 || opt[1] > end - opt)
			return NULL;
		if (*opt == TCP_OPT_MSS)
			return opt[1] == 4 ? opt + 2 : NULL;
		opt += opt[1];
	}
	return NULL;
}

/* Under the checksum the value may straddle two words: then its bytes count swapped. */
static void lower(struct rte_tcp_hdr *tcp, uint8_t *value, uint16_t mss)
{
	bool odd = (value - (uint8_t *)tcp) % 2 != 0;
	uint16_t old = rte_cpu_to_be_16(get_be16(value)), new = rte_cpu_to_be_16(mss);

	put_be16(value, mss);
	tcp->cksum = cksum_replace(tcp->cksum, odd ? rte_bswap16(old) : old,
	                           odd ? rte_bswap16(new) : new);
}

void dp_mss_clamp(struct rte_mbuf *m, uint16_t mss)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
	uint16_t hl = ip4_hdr_len(ip), len, tcp_len;
	struct rte_tcp_hdr *tcp;
	uint8_t *value;

	if (likely(ip->next_proto_id != IPPROTO_TCP) ||
	    (ip->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_OFFSET_MASK)) != 0)
		return;
	len = (uint16_t)(m->data_len - hl);
	tcp = rte_pktmbuf_mtod_offset(m, struct rte_tcp_hdr *, hl);
	if (len < sizeof(*tcp) || (tcp->tcp_flags & TCP_SYN) == 0)
		return;
	tcp_len = (uint16_t)((tcp->data_off >> 4) * 4);
	if (tcp_len < sizeof(*tcp) || tcp_len > len)
		return;
	value = mss_option((uint8_t *)(tcp + 1), (uint8_t *)tcp + tcp_len);
	if (value != NULL && get_be16(value) > mss)
		lower(tcp, value, mss);
}
