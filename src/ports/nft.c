/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "ports/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <libmnl/libmnl.h>

#define CHAIN_NAME "ingress"
/* Before all that an administrator may have hung there (nft's own "filter" is 0). */
#define CHAIN_PRIORITY (-500)

struct nft_drop {
	struct mnl_socket *sock;
	uint32_t seq;
	char table[64];
	_Alignas(8) char buf[8192];
};

static struct nlmsghdr *put(struct nft_drop *d, size_t *off, uint16_t type, uint16_t flags,
                            uint8_t family, uint16_t res_id)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(d->buf + *off);
	struct nfgenmsg *g;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = ++d->seq;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(res_id);
	return h;
}

static void done(size_t *off, const struct nlmsghdr *h)
{
	*off += NLMSG_ALIGN(h->nlmsg_len);
}

static size_t compose(struct nft_drop *d, const char *ifname)
{
	struct nlmsghdr *h;
	struct nlattr *nest;
	size_t off = 0;

	h = put(d, &off, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	done(&off, h);

	h = put(d, &off, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE,
	        NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, NFPROTO_NETDEV, 0);
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, d->table);
	mnl_attr_put_u32(h, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER));
	done(&off, h);

	h = put(d, &off, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_ACK,
	        NFPROTO_NETDEV, 0);
	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, d->table);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, CHAIN_NAME);
	nest = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(h, NFTA_HOOK_HOOKNUM, htonl(NF_NETDEV_INGRESS));
	mnl_attr_put_u32(h, NFTA_HOOK_PRIORITY, htonl((uint32_t)CHAIN_PRIORITY));
	mnl_attr_put_strz(h, NFTA_HOOK_DEV, ifname);
	mnl_attr_nest_end(h, nest);
	mnl_attr_put_u32(h, NFTA_CHAIN_POLICY, htonl(NF_DROP));
	mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, "filter");
	done(&off, h);

	h = put(d, &off, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	done(&off, h);
	return off;
}

/* Each of the two orders is acknowledged; the first error decides, as the batch is one whole. */
static int answers(struct nft_drop *d, unsigned int n)
{
	int ret = 0;

	while (n != 0) {
		ssize_t len = mnl_socket_recvfrom(d->sock, d->buf, sizeof(d->buf));
		const struct nlmsghdr *h = (const struct nlmsghdr *)d->buf;
		int left = (int)len;

		if (len < 0)
			return ret != 0 ? ret : -errno;
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_type != NLMSG_ERROR ||
			    mnl_nlmsg_get_payload_len(h) < sizeof(*e))
				continue;
			if (e->error != 0)
				return e->error;
			n -= n != 0;
		}
	}
	return ret;
}

struct nft_drop *nft_drop_new(const char *ifname)
{
	/* The kernel answers in the call itself; this only guards against one that does not. */
	struct timeval patience = {.tv_sec = 5};
	struct nft_drop *d = calloc(1, sizeof(*d));
	int ret;

	if (d == NULL)
		return NULL;
	snprintf(d->table, sizeof(d->table), "sallyport_%s", ifname);
	d->sock = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (d->sock == NULL || mnl_socket_bind(d->sock, 0, MNL_SOCKET_AUTOPID) != 0 ||
	    setsockopt(mnl_socket_get_fd(d->sock), SOL_SOCKET, SO_RCVTIMEO, &patience,
	               sizeof(patience)) != 0 ||
	    mnl_socket_sendto(d->sock, d->buf, compose(d, ifname)) < 0)
		ret = -errno;
	else
		ret = answers(d, 2);
	if (ret != 0) {
		nft_drop_free(d);
		errno = -ret;
		return NULL;
	}
	return d;
}

void nft_drop_free(struct nft_drop *d)
{
	if (d == NULL)
		return;
	if (d->sock != NULL)
		mnl_socket_close(d->sock);
	free(d);
}
