/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* ICMP errors about transit packets (RFC 792, 1122 3.2.2, 1191, 1812 4.3.2), rate-limited. */
#include "control/ctl_int.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#define QUOTE_MAX     (576 - 20 - 8) /* RFC 1812 4.3.2.3: as much as fits into 576 bytes */
#define RATE_EVERY_MS 1 /* RFC 1812 4.3.2.8: a limit of our own */
#define RATE_BURST    100

static uint16_t checksum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	if (len % 2 != 0)
		sum += (uint32_t)p[len - 1] << 8;
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static bool is_unicast(uint32_t ip)
{
	return ip != 0 && ip >> 24 != 127 && ip >> 28 < 14;
}

/* RFC 1122 3.2.2: no error about an error, a later fragment, or a packet without one sender. */
static bool may_answer(const uint8_t *p, uint32_t len)
{
	uint32_t ihl;

	if (len < 20 || p[0] >> 4 != 4)
		return false;
	ihl = (p[0] & 15u) * 4;
	if (ihl < 20 || len < ihl + 8)
		return false;
	if (((p[6] << 8 | p[7]) & 0x1fff) != 0)
		return false;
	if (p[9] == IPPROTO_ICMP && p[ihl] != ICMP_ECHO && p[ihl] != ICMP_ECHOREPLY &&
	    p[ihl] != ICMP_TIMESTAMP)
		return false;
	return is_unicast((uint32_t)p[12] << 24 | p[13] << 16 | p[14] << 8 | p[15]) &&
	       is_unicast((uint32_t)p[16] << 24 | p[17] << 16 | p[18] << 8 | p[19]);
}

static bool take_token(struct ctl *c)
{
	uint64_t floor_ms =
	        c->now_ms > RATE_BURST * RATE_EVERY_MS ? c->now_ms - RATE_BURST * RATE_EVERY_MS : 0;

	if (c->icmp_next_ms < floor_ms)
		c->icmp_next_ms = floor_ms;
	if (c->icmp_next_ms > c->now_ms)
		return false;
	c->icmp_next_ms += RATE_EVERY_MS;
	return true;
}

/* The address to speak from: toward a subscriber his own gateway, else the interface's. */
static uint32_t source_of(const struct ctl *c, const struct dp_punt *p)
{
	const struct session *s = session_of_id(c, p->session_id);

	if (p->session_id != 0)
		return s != NULL ? ipaddr_to_v4(&session_ifprof(s)->local_address) : 0;
	return p->ifidx < DP_MAX_IFS ? c->if_address[p->ifidx] : 0;
}

void icmp_error(struct ctl *c, const struct dp_punt *p)
{
	uint8_t pkt[20 + 8 + QUOTE_MAX] = {0};
	uint32_t src = htonl(source_of(c, p));
	size_t quote = p->len < QUOTE_MAX ? p->len : QUOTE_MAX, len = 28 + quote;
	uint16_t sum;

	if (src == 0 || !may_answer(p->data, p->len))
		return;
	if (!take_token(c)) {
		c->st.icmp_suppressed++;
		return;
	}
	pkt[0] = 0x45;
	pkt[1] = 0xc0; /* internetwork control, RFC 1812 4.3.2.5 */
	pkt[2] = (uint8_t)(len >> 8);
	pkt[3] = (uint8_t)len;
	pkt[8] = 64;
	pkt[9] = IPPROTO_ICMP;
	memcpy(pkt + 12, &src, 4);
	memcpy(pkt + 16, p->data + 12, 4);
	sum = checksum(pkt, 20);
	pkt[10] = (uint8_t)(sum >> 8);
	pkt[11] = (uint8_t)sum;
	switch (p->icmp) {
	case DP_ICMP_TTL:
		pkt[20] = ICMP_TIME_EXCEEDED;
		pkt[21] = ICMP_EXC_TTL;
		break;
	case DP_ICMP_TOO_BIG:
		pkt[20] = ICMP_DEST_UNREACH;
		pkt[21] = ICMP_FRAG_NEEDED;
		pkt[26] = (uint8_t)(p->mtu >> 8);
		pkt[27] = (uint8_t)p->mtu;
		break;
	case DP_ICMP_UNREACHABLE:
		pkt[20] = ICMP_DEST_UNREACH;
		pkt[21] = ICMP_HOST_UNREACH;
		break;
	}
	memcpy(pkt + 28, p->data, quote);
	sum = checksum(pkt + 20, len - 20);
	pkt[22] = (uint8_t)(sum >> 8);
	pkt[23] = (uint8_t)sum;
	c->st.icmp_sent++;
	dp_send_ip(c->dp, pkt, len);
}
