/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "console/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int plain_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/*
 * A socket belongs for good to the namespace its thread was in when it was made, so the thread goes
 * there for that one call only.
 */
static int socket_in_netns(const char *netns, int family, const char *who, struct log *log)
{
	int self = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int there = open(netns, O_RDONLY | O_CLOEXEC);
	int fd;

	if (self < 0 || there < 0 || setns(there, CLONE_NEWNET) < 0) {
		fd = -errno;
	} else {
		fd = plain_socket(family);
		if (setns(self, CLONE_NEWNET) < 0) {
			/* Every socket made from now on would be in the wrong place. */
			log_error(log, "event=%s-failed error=\"cannot leave %s: %s\"", who, netns,
			          strerror(errno));
			abort();
		}
	}
	if (there >= 0)
		close(there);
	if (self >= 0)
		close(self);
	return fd;
}

static socklen_t to_sockaddr(const struct endpoint *e, struct sockaddr_storage *ss)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *sin = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof(*ss));
	if (e->addr.family == AF_INET6) {
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons(e->port);
		memcpy(&sin6->sin6_addr, e->addr.b, sizeof(sin6->sin6_addr));
		return sizeof(*sin6);
	}
	sin->sin_family = AF_INET;
	sin->sin_port = htons(e->port);
	memcpy(&sin->sin_addr, e->addr.b, sizeof(sin->sin_addr));
	return sizeof(*sin);
}

static int bind_and_listen(int fd, const struct endpoint *at, int backlog)
{
	struct sockaddr_storage ss;
	socklen_t len = to_sockaddr(at, &ss);
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (ss.ss_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    bind(fd, (struct sockaddr *)&ss, len) < 0 || listen(fd, backlog) < 0)
		return -errno;
	return 0;
}

int console_listen(const struct endpoint *at, const char *netns, int backlog, const char *who,
                   struct log *log)
{
	int family = at->addr.family == AF_INET6 ? AF_INET6 : AF_INET;
	char text[ENDPOINT_STRLEN];
	int fd, ret;

	fd = netns[0] ? socket_in_netns(netns, family, who, log) : plain_socket(family);
	ret = fd < 0 ? fd : bind_and_listen(fd, at, backlog);
	if (ret >= 0)
		return fd;
	log_error(log, "event=%s-failed listen=%s netns=%s error=\"%s\"", who,
	          endpoint_str(at, text, sizeof(text)), netns[0] ? netns : "-", strerror(-ret));
	if (fd >= 0)
		close(fd);
	return ret;
}
