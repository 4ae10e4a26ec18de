/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "load/vici.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Packet and element types, as the protocol's description numbers them. */
enum { CMD_REQUEST, CMD_RESPONSE };
enum { KEY_VALUE = 3 };

struct request {
	uint8_t buf[512];
	size_t len;
	bool overflow;
};

static void put(struct request *r, const void *p, size_t len)
{
	if (len > sizeof(r->buf) - r->len) {
		r->overflow = true;
		return;
	}
	memcpy(r->buf + r->len, p, len);
	r->len += len;
}

static void put_u8(struct request *r, size_t v)
{
	uint8_t b = (uint8_t)v;

	put(r, &b, 1);
}

static void begin(struct request *r, const char *command)
{
	*r = (struct request){.len = 4}; /* room for the length */
	put_u8(r, CMD_REQUEST);
	put_u8(r, strlen(command));
	put(r, command, strlen(command));
}

static void add(struct request *r, const char *key, const char *value)
{
	uint16_t n = htons((uint16_t)strlen(value));

	put_u8(r, KEY_VALUE);
	put_u8(r, strlen(key));
	put(r, key, strlen(key));
	put(r, &n, sizeof(n));
	put(r, value, strlen(value));
}

static int finish(struct vici *v, struct request *r)
{
	uint32_t n = htonl((uint32_t)(r->len - 4));

	if (r->overflow)
		return -EMSGSIZE;
	memcpy(r->buf, &n, 4);
	if (send(v->fd, r->buf, r->len, MSG_NOSIGNAL) != (ssize_t)r->len)
		return -errno;
	v->requests++;
	return 0;
}

int vici_open(struct vici *v, const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	*v = (struct vici){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	if (v->fd < 0)
		return -errno;
	if (snprintf(to.sun_path, sizeof(to.sun_path), "%s", path) >= (int)sizeof(to.sun_path))
		return -ENAMETOOLONG;
	return connect(v->fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

void vici_close(struct vici *v)
{
	close(v->fd);
}

int vici_initiate(struct vici *v, const char *connection, const char *child)
{
	struct request r;

	begin(&r, "initiate");
	add(&r, "ike", connection);
	add(&r, "child", child);
	add(&r, "timeout", "-1"); /* do not wait, and send no log */
	return finish(v, &r);
}

int vici_terminate(struct vici *v, uint32_t ike_id)
{
	struct request r;
	char id[16];

	snprintf(id, sizeof(id), "%u", ike_id);
	begin(&r, "terminate");
	add(&r, "ike-id", id);
	add(&r, "timeout", "-1");
	return finish(v, &r);
}

static int read_all(int fd, uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = recv(fd, p, len, 0);

		if (n <= 0)
			return n == 0 ? -EPIPE : -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int vici_receive(struct vici *v)
{
	static const uint8_t yes[] = "\003\007success\000\003yes";
	uint8_t buf[4096];
	uint32_t n;
	int rc = read_all(v->fd, (uint8_t *)&n, sizeof(n));

	if (rc < 0)
		return rc;
	n = ntohl(n);
	if (n == 0 || n > sizeof(buf))
		return -EPROTO;
	rc = read_all(v->fd, buf, n);
	if (rc < 0)
		return rc;
	if (buf[0] != CMD_RESPONSE || memmem(buf, n, yes, sizeof(yes) - 1) == NULL)
		v->refused++;
	return 0;
}
