/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "ports/nl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#define BUF_SIZE 8192

struct nl {
	struct mnl_socket *sock;
	unsigned int portid;
	uint32_t seq;
	_Alignas(8) char buf[BUF_SIZE];
};

struct nl *nl_new(void)
{
	struct nl *nl = calloc(1, sizeof(*nl));

	if (nl == NULL)
		return NULL;
	nl->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (nl->sock == NULL || mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) != 0) {
		nl_free(nl);
		return NULL;
	}
	nl->portid = mnl_socket_get_portid(nl->sock);
	return nl;
}

void nl_free(struct nl *nl)
{
	if (nl == NULL)
		return;
	if (nl->sock != NULL)
		mnl_socket_close(nl->sock);
	free(nl);
}

static struct nlmsghdr *request(struct nl *nl, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(nl->buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	h->nlmsg_seq = ++nl->seq;
	return h;
}

static int talk(struct nl *nl, struct nlmsghdr *h)
{
	ssize_t n;

	if (mnl_socket_sendto(nl->sock, h, h->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		n = mnl_socket_recvfrom(nl->sock, nl->buf, sizeof(nl->buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (mnl_cb_run(nl->buf, (size_t)n, nl->seq, nl->portid, NULL, NULL) < 0) {
			/* ESRCH, EPROTO: an answer to an earlier request that was given up. */
			if (errno == EPROTO)
				continue;
			return -errno;
		}
		return 0;
	}
}

static size_t addr_len(const struct ipaddr *a)
{
	return a->family == AF_INET ? 4 : 16;
}

int nl_link_set(struct nl *nl, const struct nl_link *link)
{
	struct nlmsghdr *h = request(nl, RTM_NEWLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = link->ifindex;
	if (link->up >= 0) {
		ifi->ifi_change = IFF_UP;
		ifi->ifi_flags = link->up ? IFF_UP : 0;
	}
	if (link->mac != NULL)
		mnl_attr_put(h, IFLA_ADDRESS, 6, link->mac);
	if (link->mtu != 0)
		mnl_attr_put_u32(h, IFLA_MTU, link->mtu);
	return talk(nl, h);
}

int nl_addr_add(struct nl *nl, int ifindex, const struct ipprefix *addr)
{
	struct nlmsghdr *h = request(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(h, sizeof(*ifa));

	ifa->ifa_family = addr->addr.family;
	ifa->ifa_prefixlen = addr->len;
	ifa->ifa_scope = RT_SCOPE_UNIVERSE;
	ifa->ifa_index = (uint32_t)ifindex;
	mnl_attr_put(h, IFA_LOCAL, addr_len(&addr->addr), addr->addr.b);
	mnl_attr_put(h, IFA_ADDRESS, addr_len(&addr->addr), addr->addr.b);
	if (addr->addr.family == AF_INET && addr->len < 31) {
		uint32_t brd = ipaddr_to_v4(&addr->addr) |
		               (addr->len == 0 ? UINT32_MAX : UINT32_MAX >> addr->len);

		mnl_attr_put_u32(h, IFA_BROADCAST, htonl(brd));
	}
	return talk(nl, h);
}

static void mask(struct ipaddr *a, uint8_t len)
{
	for (unsigned int i = 0; i < sizeof(a->b); i++) {
		unsigned int bits = len > i * 8 ? len - i * 8 : 0;

		a->b[i] &= bits >= 8 ? 0xff : (uint8_t)(0xff00U >> bits);
	}
}

static struct nlmsghdr *route(struct nl *nl, uint16_t type, uint16_t flags,
                              const struct nl_route *r)
{
	struct nlmsghdr *h = request(nl, type, flags);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(h, sizeof(*rtm));
	struct ipaddr dst = r->prefix.addr;

	mask(&dst, r->prefix.len);
	rtm->rtm_family = dst.family;
	rtm->rtm_dst_len = r->prefix.len;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_STATIC;
	rtm->rtm_type = RTN_UNICAST;
	rtm->rtm_scope = r->via.family != 0 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	if (r->prefix.len != 0)
		mnl_attr_put(h, RTA_DST, addr_len(&dst), dst.b);
	if (r->via.family != 0)
		mnl_attr_put(h, RTA_GATEWAY, addr_len(&r->via), r->via.b);
	if (r->ifindex != 0)
		mnl_attr_put_u32(h, RTA_OIF, (uint32_t)r->ifindex);
	return h;
}

int nl_route_add(struct nl *nl, const struct nl_route *r)
{
	return talk(nl, route(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, r));
}

int nl_route_del(struct nl *nl, const struct nl_route *r)
{
	return talk(nl, route(nl, RTM_DELROUTE, 0, r));
}

int nl_neigh_use(struct nl *nl, int ifindex, uint32_t ip)
{
	struct nlmsghdr *h = request(nl, RTM_NEWNEIGH, NLM_F_CREATE);
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(h, sizeof(*ndm));

	ndm->ndm_family = AF_INET;
	ndm->ndm_ifindex = ifindex;
	ndm->ndm_state = NUD_NONE;
	ndm->ndm_flags = NTF_USE;
	mnl_attr_put_u32(h, NDA_DST, htonl(ip));
	return talk(nl, h);
}
