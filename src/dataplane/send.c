/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Packets that control sends: made here, sent by a worker. */
#include "dataplane/ip4.h"

#include <errno.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_random.h>

#define VLAN_LEN 4
#define MACS_LEN (2 * RTE_ETHER_ADDR_LEN)

/* The worker that sends to an address outside of sessions: always the same, to keep order. */
static uint16_t worker_of(const struct dp *dp, uint32_t key)
{
	return (uint16_t)((key * 0x9e3779b1u >> 16) % dp->conf.n_workers);
}

/* Makes sure that worker w can take the order, and a buffer of len bytes, which *p points to. */
static int prepare(struct dp *dp, uint16_t w, struct fifo_msg *msg, size_t len, uint8_t **p)
{
	if (len > LARGE_ROOM)
		return -EMSGSIZE;
	if (!dp_fifo_room(dp, w))
		return -EAGAIN;
	msg->m = dp_alloc(dp, len);
	if (msg->m == NULL)
		return -ENOBUFS;
	pkt_meta(msg->m)->flags = PKT_INJECTED;
	*p = (uint8_t *)rte_pktmbuf_append(msg->m, (uint16_t)len);
	return 0;
}

static int send_by(struct dp *dp, uint16_t w, struct fifo_msg *msg, const uint8_t *bytes,
                   size_t len)
{
	uint8_t *p;
	int rc = prepare(dp, w, msg, len, &p);

	if (rc != 0)
		return rc;
	memcpy(p, bytes, len);
	dp_fifo_put(dp, w, msg);
	return 0;
}

/* RFC 791 3.1, RFC 768. The payload stands behind the headers already. */
static void udp_headers(uint8_t *p, uint16_t len, const struct endpoint *src,
                        const struct endpoint *dst)
{
	struct rte_ipv4_hdr *ip = (void *)p;
	struct rte_udp_hdr *udp = (void *)(ip + 1);

	*ip = (struct rte_ipv4_hdr){
	        .version_ihl = RTE_IPV4_VHL_DEF,
	        .total_length = rte_cpu_to_be_16(len),
	        .packet_id = (uint16_t)rte_rand(),
	        .time_to_live = 64, /* RFC 1700: the recommended default */
	        .next_proto_id = IPPROTO_UDP,
	        .src_addr = rte_cpu_to_be_32(ipaddr_to_v4(&src->addr)),
	        .dst_addr = rte_cpu_to_be_32(ipaddr_to_v4(&dst->addr)),
	};
	*udp = (struct rte_udp_hdr){
	        .src_port = rte_cpu_to_be_16(src->port),
	        .dst_port = rte_cpu_to_be_16(dst->port),
	        .dgram_len = rte_cpu_to_be_16((uint16_t)(len - sizeof(*ip))),
	};
	udp4_fill(udp, (uint16_t)(len - sizeof(*ip)), ip->src_addr, ip->dst_addr);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

int dp_send_udp(struct dp *dp, const struct endpoint *src, const struct endpoint *dst,
                uint32_t child, const uint8_t *payload, size_t len)
{
	const size_t hdr_len = sizeof(struct rte_ipv4_hdr) + sizeof(struct rte_udp_hdr);
	struct fifo_msg msg = {.op = FIFO_SEND_IP};
	uint16_t w;
	uint8_t *p;
	int rc;

	if (src->addr.family != AF_INET || dst->addr.family != AF_INET)
		return -EAFNOSUPPORT;
	if (child != 0 && !dp_child_live(dp, child))
		return -ENOENT;
	w = child != 0 ? dp->child[child].worker
	               : worker_of(dp, ipaddr_to_v4(&dst->addr) ^ dst->port);
	if (!dp_fifo_fence(dp, &msg.after))
		return -EAGAIN;
	rc = prepare(dp, w, &msg, len > LARGE_ROOM ? len : hdr_len + len, &p);
	if (rc != 0)
		return rc;
	memcpy(p + hdr_len, payload, len);
	udp_headers(p, (uint16_t)(hdr_len + len), src, dst);
	pkt_meta(msg.m)->out_child = child;
	if (child != 0)
		pkt_meta(msg.m)->flags |= PKT_CONTROL;
	dp_fifo_put(dp, w, &msg);
	return 0;
}

int dp_send_ppp(struct dp *dp, uint16_t session_id, uint32_t gen, const uint8_t *frame, size_t len)
{
	struct fifo_msg msg = {.op = FIFO_SEND_PPP, .id = session_id, .gen = gen};
	const struct ctl_session *c = &dp->ctl[session_id];

	if (!c->live || c->closed)
		return -ENOENT;
	if (c->gen != gen)
		return -ESTALE;
	if (len == 0)
		return -EINVAL;
	return send_by(dp, c->worker, &msg, frame, len);
}

int dp_send_frame(struct dp *dp, uint16_t ifidx, const uint8_t *frame, size_t len)
{
	struct fifo_msg msg = {.op = FIFO_SEND_FRAME, .id = ifidx};
	const struct dp_if_conf *conf;
	uint16_t w = worker_of(dp, ifidx);
	uint8_t *p;
	int rc;

	if (ifidx >= dp->n_ifs)
		return -ENODEV;
	if (len < RTE_ETHER_HDR_LEN)
		return -EINVAL;
	conf = &dp->ifs[ifidx].conf;
	if (len > (size_t)conf->mtu + RTE_ETHER_HDR_LEN + VLAN_LEN)
		return -EMSGSIZE;
	if (conf->vlan == 0)
		return send_by(dp, w, &msg, frame, len);
	rc = prepare(dp, w, &msg, len + VLAN_LEN, &p);
	if (rc != 0)
		return rc;
	memcpy(p, frame, MACS_LEN);
	put_be16(p + MACS_LEN, RTE_ETHER_TYPE_VLAN);
	put_be16(p + MACS_LEN + 2, conf->vlan);
	memcpy(p + MACS_LEN + VLAN_LEN, frame + MACS_LEN, len - MACS_LEN);
	dp_fifo_put(dp, w, &msg);
	return 0;
}

/* True when the bytes are one whole IPv4 packet with a right header. */
static bool ip4_whole(const uint8_t *p, size_t len)
{
	return len <= UINT16_MAX &&
	       ip4_check((const void *)p, (uint32_t)len, false) == DP_DROP_NONE &&
	       get_be16(p + 2) == len;
}

int dp_send_ip(struct dp *dp, const uint8_t *packet, size_t len)
{
	struct fifo_msg msg = {.op = FIFO_SEND_IP};
	uint32_t dst;
	uint16_t session;

	if (!ip4_whole(packet, len))
		return -EINVAL;
	dst = (uint32_t)get_be16(packet + 16) << 16 | get_be16(packet + 18);
	session = dp_subs_lookup(dp, dst);
	return send_by(dp, session != 0 ? dp->ctl[session].worker : worker_of(dp, dst), &msg,
	               packet, len);
}
