/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What is seldom looked at in an IPv4 header. */
#include "dataplane/ip4.h"

enum dp_drop dp_ip4_check_rest(const struct rte_ipv4_hdr *ip, uint32_t len, bool sum_ok)
{
	uint16_t total;

	if (len < sizeof(*ip))
		return DP_DROP_IP4_SHORT;
	if (ip->version_ihl >> 4 != 4 || ip4_hdr_len(ip) < sizeof(*ip))
		return DP_DROP_IP4_HEADER;
	total = rte_be_to_cpu_16(ip->total_length);
	if (total < ip4_hdr_len(ip) || total > len)
		return DP_DROP_IP4_LENGTH;
	if (!sum_ok && rte_raw_cksum(ip, ip4_hdr_len(ip)) != 0xffff)
		return DP_DROP_IP4_CHECKSUM;
	return DP_DROP_NONE;
}
