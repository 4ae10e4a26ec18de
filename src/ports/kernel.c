/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Follows the kernel's routes and neighbours over rtnetlink. One socket hears of changes, another
 * reads everything: at start, after a loss of messages, and after changes that the kernel makes
 * without telling (it drops routes silently when a link goes down or an address goes). While everything is
 * read, changes wait in their socket; applied afterwards they end at the same state.
 */
#include "ports/priv.h"
#include "ports/rib.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include <event2/event.h>
#include <libmnl/libmnl.h>

#define BUF_SIZE        32768 /* what the kernel fills in one go at most */
#define EVENT_RCVBUF    (4 << 20) /* bursts of a routing daemon */
#define READ_BUDGET     16 /* buffers a turn */
#define FIRST_READ_MS   5000
#define SETTLE_MS       20 /* after a silent change: one reading for a burst of them */
#define TICK_MS         1000
#define RETRY_MS        50 /* what the data plane had no room for */
#define NEIGH_CYCLE     30 /* ticks in which each neighbour is confirmed once (base_reachable_time) */
#define NEIGH_PER_TICK  256
#define NUD_HAS_ADDRESS (NUD_PERMANENT | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)

enum stage { STAGE_IDLE, STAGE_LINKS, STAGE_ROUTES, STAGE_NEIGHS };

struct kernel {
	struct ports *p;
	struct rib *rib;
	struct mnl_socket *events, *dump;
	struct event *events_readable, *dump_readable, *settle, *retry, *tick;
	enum stage stage;
	uint32_t seq;
	bool interrupted; /* what is being read changed meanwhile */
	uint32_t budget; /* confirmations left in this tick */
	int lo; /* the loopback interface */
	uint64_t resyncs, resolves;
	struct log_limit refused_limit;
	_Alignas(8) char buf[BUF_SIZE];
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void arm(struct event *ev, uint32_t ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};

	if (!event_pending(ev, EV_TIMEOUT, NULL))
		(void)event_add(ev, &tv);
}

/* ---- into the data plane ---- */

static int refuse(struct kernel *k, const char *what, int ret)
{
	uint64_t skipped;

	if (ret != 0)
		arm(k->retry, ret == -EAGAIN ? RETRY_MS : TICK_MS);

	/* -EAGAIN is an order book that is full for a moment. */
	if (ret != 0 && ret != -EAGAIN && log_limit_ok(&k->refused_limit, now_ms(), &skipped))
		log_warning(k->p->log, "the data plane does not take a %s: %s", what,
		            strerror(-ret));
	return ret;
}

static int give_route(void *ctx, uint32_t prefix, uint8_t len, const struct dp_route *r)
{
	struct kernel *k = ctx;
	int ret;

	if (r == NULL) {
		ret = dp_route_del(k->p->dp, prefix, len);
		return refuse(k, "route's end", ret == -ENOENT ? 0 : ret);
	}
	return refuse(k, "route", dp_route_set(k->p->dp, r));
}

static int give_neigh(void *ctx, uint16_t ifidx, uint32_t ip, const uint8_t *mac)
{
	struct kernel *k = ctx;

	return refuse(k, "neighbour", dp_neigh_set(k->p->dp, ifidx, ip, mac));
}

/* ---- messages of the kernel ---- */

static int put_attr(const struct nlattr *a, void *data)
{
	const struct nlattr **tb = data;
	uint16_t type = mnl_attr_get_type(a);

	/* One table serves all messages: none of the attributes used here is above this. */
	if (type <= RTA_MAX)
		tb[type] = a;
	return MNL_CB_OK;
}

static uint32_t attr_u32(const struct nlattr *a, uint32_t otherwise)
{
	return a != NULL && mnl_attr_get_payload_len(a) >= 4 ? mnl_attr_get_u32(a) : otherwise;
}

static uint32_t attr_ip(const struct nlattr *a)
{
	return ntohl(attr_u32(a, 0));
}

/* The kernel's table of its own addresses. */
static bool local_route(struct kernel *k, const struct rtmsg *rtm, struct dp_route *r, int oif)
{
	const struct twin *t = twin_by_kernel(k->p, oif);

	if (rtm->rtm_type != RTN_LOCAL && rtm->rtm_type != RTN_BROADCAST)
		return false;
	/* An address on lo is one of ours behind any port; 127.0.0.0/8 is on no wire (RFC 1122). */
	if (t == NULL && (oif != k->lo || r->prefix >> 24 == 127))
		return false;
	r->kind = DP_RT_LOCAL;
	r->ifidx = t != NULL ? t->ifidx : DP_IF_NONE;
	return true;
}

/* The data plane has one next hop a prefix: the first that is ours and alive. */
static const struct twin *first_hop(struct kernel *k, const struct nlattr *multipath,
                                    uint32_t *gateway, unsigned int *flags)
{
	const struct rtnexthop *nh = mnl_attr_get_payload(multipath);
	int left = mnl_attr_get_payload_len(multipath);

	for (; RTNH_OK(nh, left); left -= RTNH_ALIGN(nh->rtnh_len), nh = RTNH_NEXT(nh)) {
		const struct nlattr *tb[RTA_MAX + 1] = {0};
		const struct twin *t = twin_by_kernel(k->p, nh->rtnh_ifindex);

		if (t == NULL || (nh->rtnh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) != 0)
			continue;
		(void)mnl_attr_parse_payload(RTNH_DATA(nh), nh->rtnh_len - RTNH_LENGTH(0), put_attr,
		                             tb);
		*gateway = tb[RTA_VIA] == NULL ? attr_ip(tb[RTA_GATEWAY]) : 0;
		*flags = nh->rtnh_flags;
		return tb[RTA_VIA] == NULL ? t : NULL;
	}
	return NULL;
}

static bool main_route(struct kernel *k, const struct rtmsg *rtm, const struct nlattr **tb,
                       struct dp_route *r)
{
	int oif = (int)attr_u32(tb[RTA_OIF], 0);
	uint32_t gateway = attr_ip(tb[RTA_GATEWAY]);
	unsigned int flags = rtm->rtm_flags;
	const struct twin *t;

	switch (rtm->rtm_type) {
	case RTN_BLACKHOLE:
	case RTN_UNREACHABLE:
	case RTN_PROHIBIT:
		r->kind = DP_RT_BLACKHOLE;
		r->ifidx = DP_IF_NONE;
		return true;
	case RTN_UNICAST:
		break;
	default:
		return false;
	}
	t = twin_by_kernel(k->p, oif);
	if (t == NULL && tb[RTA_MULTIPATH] != NULL)
		t = first_hop(k, tb[RTA_MULTIPATH], &gateway, &flags);
	/* A gateway of the other family (RTA_VIA) is none that we could resolve. */
	if (t == NULL || (flags & RTNH_F_DEAD) != 0 || tb[RTA_VIA] != NULL)
		return false;
	r->ifidx = t->ifidx;
	if (t->ifidx == DP_IF_NONE) {
		r->kind = DP_RT_SUBSCRIBER;
	} else if (gateway != 0) {
		r->kind = DP_RT_VIA;
		r->gateway = gateway;
	} else {
		r->kind = DP_RT_CONNECTED;
	}
	return true;
}

/* Returns false when what is left of a prefix's routes can only be read anew. */
static bool on_route(struct kernel *k, const struct nlmsghdr *h)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[RTA_MAX + 1] = {0};
	struct dp_route r = {0};
	uint32_t table, metric;
	bool local, ours;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*rtm) || rtm->rtm_family != AF_INET ||
	    (rtm->rtm_flags & RTM_F_CLONED) != 0 || rtm->rtm_tos != 0 || rtm->rtm_dst_len > 32)
		return true;
	(void)mnl_attr_parse(h, sizeof(*rtm), put_attr, tb);
	table = attr_u32(tb[RTA_TABLE], rtm->rtm_table);
	local = table == RT_TABLE_LOCAL;
	if (!local && table != RT_TABLE_MAIN)
		return true;
	r.prefix = attr_ip(tb[RTA_DST]);
	r.len = rtm->rtm_dst_len;
	metric = attr_u32(tb[RTA_PRIORITY], 0);
	if (local)
		ours = local_route(k, rtm, &r, (int)attr_u32(tb[RTA_OIF], 0));
	else
		ours = main_route(k, rtm, tb, &r);
	if (h->nlmsg_type == RTM_DELROUTE)
		return !ours || rib_route_del(k->rib, &r, local, metric);
	if (!ours) {
		if ((h->nlmsg_flags & NLM_F_REPLACE) != 0)
			rib_route_forget(k->rib, r.prefix, r.len, local, metric);
		return true;
	}
	if (rib_route_add(k->rib, &r, local, metric) != 0)
		log_error(k->p->log, "no memory for a route");
	return true;
}

static void on_neigh(struct kernel *k, const struct nlmsghdr *h)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[RTA_MAX + 1] = {0};
	const uint8_t *mac = NULL;
	const struct twin *t;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*ndm) || ndm->ndm_family != AF_INET)
		return;
	t = twin_by_kernel(k->p, ndm->ndm_ifindex);
	if (t == NULL || t->ifidx == DP_IF_NONE)
		return;
	(void)mnl_attr_parse(h, sizeof(*ndm), put_attr, tb);
	if (tb[NDA_DST] == NULL || mnl_attr_get_payload_len(tb[NDA_DST]) != 4)
		return;
	if (h->nlmsg_type == RTM_NEWNEIGH) {
		if ((ndm->ndm_state & (NUD_HAS_ADDRESS | NUD_FAILED)) == 0)
			return; /* being resolved, or broadcast and multicast (NUD_NOARP) */
		if ((ndm->ndm_state & NUD_HAS_ADDRESS) != 0 && tb[NDA_LLADDR] != NULL &&
		    mnl_attr_get_payload_len(tb[NDA_LLADDR]) == 6)
			mac = mnl_attr_get_payload(tb[NDA_LLADDR]);
	}
	if (rib_neigh_set(k->rib, t->ifidx, attr_ip(tb[NDA_DST]), mac) != 0)
		log_error(k->p->log, "no memory for a neighbour");
}

/* Returns true when the kernel has changed routes without saying so. */
static bool on_link(struct kernel *k, const struct nlmsghdr *h)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
	struct twin *t;
	bool up;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*ifi))
		return false;
	t = twin_by_kernel(k->p, ifi->ifi_index);
	if (t == NULL)
		return false;
	up = h->nlmsg_type == RTM_NEWLINK && (ifi->ifi_flags & IFF_UP) != 0;
	if (up == t->up)
		return false;
	t->up = up;
	log_notice(k->p->log, "twin %s has been set %s", t->name, up ? "up" : "down");
	return true;
}

/* Returns true when everything should be read anew. */
static bool on_message(struct kernel *k, const struct nlmsghdr *h)
{
	switch (h->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return !on_route(k, h);
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		on_neigh(k, h);
		return false;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return on_link(k, h);
	case RTM_DELADDR:
		return true;
	default:
		return false;
	}
}

/* ---- reading everything ---- */

static int ask(struct kernel *k, uint16_t type, uint8_t family)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(k->buf);
	struct rtgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = ++k->seq;
	g->rtgen_family = family;
	return mnl_socket_sendto(k->dump, h, h->nlmsg_len) < 0 ? -errno : 0;
}

static void dump_end(struct kernel *k)
{
	k->stage = STAGE_IDLE;
	(void)event_del(k->dump_readable);
	(void)event_add(k->events_readable, NULL);
	k->resyncs++;
	if (k->interrupted)
		arm(k->settle, SETTLE_MS);
	else
		rib_sweep(k->rib);
}

static void dump_next(struct kernel *k)
{
	int ret = 0;

	switch (k->stage) {
	case STAGE_IDLE:
		rib_mark(k->rib);
		k->interrupted = false;
		(void)event_del(k->events_readable);
		(void)event_add(k->dump_readable, NULL);
		k->stage = STAGE_LINKS;
		ret = ask(k, RTM_GETLINK, AF_UNSPEC);
		break;
	case STAGE_LINKS:
		k->stage = STAGE_ROUTES;
		ret = ask(k, RTM_GETROUTE, AF_INET);
		break;
	case STAGE_ROUTES:
		k->stage = STAGE_NEIGHS;
		ret = ask(k, RTM_GETNEIGH, AF_INET);
		break;
	case STAGE_NEIGHS:
		dump_end(k);
		break;
	}
	if (ret != 0) {
		log_warning(k->p->log, "the kernel's tables cannot be read: %s", strerror(-ret));
		k->interrupted = true;
		dump_end(k);
	}
}

static void on_dump_readable(evutil_socket_t fd, short what, void *arg)
{
	struct kernel *k = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < READ_BUDGET && k->stage != STAGE_IDLE; i++) {
		ssize_t len = mnl_socket_recvfrom(k->dump, k->buf, sizeof(k->buf));
		const struct nlmsghdr *h = (const struct nlmsghdr *)k->buf;
		bool done = false;
		int left = (int)len;

		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (len < 0) {
			k->interrupted = true;
			done = true;
		}
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_seq != k->seq)
				continue;
			k->interrupted |= (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
			if (h->nlmsg_type == NLMSG_ERROR)
				k->interrupted = true;
			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				done = true;
			else
				(void)on_message(k, h);
		}
		if (done)
			dump_next(k);
	}
}

static void on_settle(evutil_socket_t fd, short what, void *arg)
{
	struct kernel *k = arg;

	(void)fd;
	(void)what;
	if (k->stage == STAGE_IDLE)
		dump_next(k);
	else
		arm(k->settle, SETTLE_MS);
}

static void on_events_readable(evutil_socket_t fd, short what, void *arg)
{
	struct kernel *k = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < READ_BUDGET; i++) {
		ssize_t len = mnl_socket_recvfrom(k->events, k->buf, sizeof(k->buf));
		const struct nlmsghdr *h = (const struct nlmsghdr *)k->buf;
		bool again = false;
		int left = (int)len;

		if (len < 0) {
			/* ENOBUFS: changes came faster than we read; some are lost. */
			if (errno == ENOBUFS)
				arm(k->settle, SETTLE_MS);
			return;
		}
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			again |= on_message(k, h);
		if (again)
			arm(k->settle, SETTLE_MS);
	}
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct kernel *k = arg;

	(void)fd;
	(void)what;
	(void)rib_retry(k->rib);
}

/* ---- once a second ---- */

/*
 * The kernel does not see the data plane's packets: unasked it would let neighbours go stale and
 * finally forget them. Asked, it confirms a stale one with the neighbour itself.
 */
static void confirm(void *ctx, uint16_t ifidx, uint32_t ip)
{
	struct kernel *k = ctx;
	const struct twin *t = k->p->by_ifidx[ifidx];

	if (k->budget == 0 || t == NULL || !t->up)
		return;
	k->budget--;
	(void)nl_neigh_use(k->p->nl, t->ifindex, ip);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct kernel *k = arg;

	(void)fd;
	(void)what;
	k->budget = NEIGH_PER_TICK;
	rib_neigh_walk(k->rib, NEIGH_CYCLE, confirm, k);
	arm(k->tick, TICK_MS);
}

int kernel_resolve(struct kernel *k, uint16_t ifidx, uint32_t ip)
{
	const struct twin *t = ifidx < DP_MAX_IFS ? k->p->by_ifidx[ifidx] : NULL;

	if (t == NULL)
		return -ENODEV;
	k->resolves++;
	(void)rib_neigh_offer(k->rib, ifidx, ip);
	return nl_neigh_use(k->p->nl, t->ifindex, ip);
}

/* ---- life ---- */

static struct mnl_socket *open_socket(unsigned int groups)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int size = EVENT_RCVBUF;

	if (s == NULL)
		return NULL;
	if (setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
		(void)setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (mnl_socket_bind(s, groups, MNL_SOCKET_AUTOPID) == 0)
		return s;
	mnl_socket_close(s);
	return NULL;
}

static int read_first(struct kernel *k)
{
	uint64_t deadline = now_ms() + FIRST_READ_MS;

	dump_next(k);
	while (k->stage != STAGE_IDLE) {
		struct pollfd pfd = {.fd = mnl_socket_get_fd(k->dump), .events = POLLIN};
		uint64_t now = now_ms();

		if (now >= deadline)
			return -ETIMEDOUT;
		if (poll(&pfd, 1, (int)(deadline - now)) > 0)
			on_dump_readable(pfd.fd, EV_READ, k);
	}
	return 0;
}

static int start(struct kernel *k)
{
	struct event_base *base = k->p->base;
	struct rib_ops ops = {.route = give_route, .neigh = give_neigh};

	k->lo = (int)if_nametoindex("lo");
	k->refused_limit = (struct log_limit){.every_ms = 10000, .burst = 3};
	k->rib = rib_new(&ops, k);
	/* First the changes, then everything: what happens in between is seen twice, not never. */
	k->events =
	        open_socket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_NEIGH);
	k->dump = open_socket(0);
	if (k->rib == NULL || k->events == NULL || k->dump == NULL)
		return -errno;
	k->events_readable = event_new(base, mnl_socket_get_fd(k->events), EV_READ | EV_PERSIST,
	                               on_events_readable, k);
	k->dump_readable = event_new(base, mnl_socket_get_fd(k->dump), EV_READ | EV_PERSIST,
	                             on_dump_readable, k);
	k->settle = event_new(base, -1, 0, on_settle, k);
	k->retry = event_new(base, -1, 0, on_retry, k);
	k->tick = event_new(base, -1, 0, on_tick, k);
	if (k->events_readable == NULL || k->dump_readable == NULL || k->settle == NULL ||
	    k->retry == NULL || k->tick == NULL)
		return -ENOMEM;
	arm(k->tick, TICK_MS);
	return read_first(k);
}

struct kernel *kernel_new(struct ports *p)
{
	struct kernel *k = calloc(1, sizeof(*k));
	int ret;

	if (k == NULL)
		return NULL;
	k->p = p;
	ret = start(k);
	if (ret == 0)
		return k;
	log_error(p->log, "the kernel's routes and neighbours cannot be read: %s", strerror(-ret));
	kernel_free(k);
	errno = -ret;
	return NULL;
}

void kernel_free(struct kernel *k)
{
	struct event *ev[5];

	if (k == NULL)
		return;
	ev[0] = k->events_readable;
	ev[1] = k->dump_readable;
	ev[2] = k->settle;
	ev[3] = k->retry;
	ev[4] = k->tick;
	for (int i = 0; i < 5; i++)
		if (ev[i] != NULL)
			event_free(ev[i]);
	if (k->events != NULL)
		mnl_socket_close(k->events);
	if (k->dump != NULL)
		mnl_socket_close(k->dump);
	rib_free(k->rib);
	free(k);
}

void kernel_info(const struct kernel *k, struct ports_kernel_info *out)
{
	out->routes = rib_routes(k->rib);
	out->neighbours = rib_neighs(k->rib);
	out->routes_refused = rib_refused(k->rib);
	out->resyncs = k->resyncs;
	out->resolves = k->resolves;
}
