/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ipaddr ipaddr_v4(uint32_t host_order)
{
	struct ipaddr a = {.family = AF_INET};
	uint32_t be = htonl(host_order);

	memcpy(a.b, &be, sizeof(be));
	return a;
}

uint32_t ipaddr_to_v4(const struct ipaddr *a)
{
	uint32_t be;

	if (a->family != AF_INET)
		return 0;
	memcpy(&be, a->b, sizeof(be));
	return ntohl(be);
}

bool ipaddr_eq(const struct ipaddr *a, const struct ipaddr *b)
{
	if (a->family != b->family)
		return false;
	switch (a->family) {
	case AF_INET:
		return memcmp(a->b, b->b, 4) == 0;
	case AF_INET6:
		return memcmp(a->b, b->b, 16) == 0;
	default:
		return true;
	}
}

bool endpoint_eq(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && ipaddr_eq(&a->addr, &b->addr);
}

bool ipaddr_is_any(const struct ipaddr *a)
{
	static const uint8_t zero[16];

	if (a->family == 0)
		return true;
	return memcmp(a->b, zero, a->family == AF_INET ? 4 : 16) == 0;
}

static uint64_t mix(uint64_t h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdull;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ull;
	return h ^ (h >> 33);
}

uint64_t endpoint_hash(const struct endpoint *e, uint64_t seed)
{
	uint64_t w[2];

	memcpy(w, e->addr.b, sizeof(w));
	return mix(mix(mix(seed ^ w[0]) ^ w[1]) ^ ((uint64_t)e->addr.family << 16 | e->port));
}

int ipaddr_parse(const char *text, struct ipaddr *out)
{
	struct ipaddr a = {0};

	a.family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(a.family, text, a.b) != 1)
		return -EINVAL;
	*out = a;
	return 0;
}

int ipprefix_parse(const char *text, struct ipprefix *out)
{
	const char *slash = strchr(text, '/');
	char buf[IPADDR_STRLEN], *end;
	struct ipprefix p;
	long len;

	if (slash == NULL || (size_t)(slash - text) >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, (size_t)(slash - text));
	buf[slash - text] = '\0';
	if (ipaddr_parse(buf, &p.addr) < 0 || slash[1] < '0' || slash[1] > '9')
		return -EINVAL;
	errno = 0;
	len = strtol(slash + 1, &end, 10);
	if (errno != 0 || *end != '\0' || len > (p.addr.family == AF_INET ? 32 : 128))
		return -EINVAL;
	p.len = (uint8_t)len;
	*out = p;
	return 0;
}

bool ipprefix_contains(const struct ipprefix *p, const struct ipaddr *a)
{
	unsigned int bytes = p->len / 8, bits = p->len % 8;

	if (p->addr.family != a->family || memcmp(p->addr.b, a->b, bytes) != 0)
		return false;
	return bits == 0 || ((p->addr.b[bytes] ^ a->b[bytes]) >> (8 - bits)) == 0;
}

char *ipaddr_str(const struct ipaddr *a, char *buf, size_t size)
{
	if (a->family == 0 || inet_ntop(a->family, a->b, buf, (socklen_t)size) == NULL)
		snprintf(buf, size, "none");
	return buf;
}

char *endpoint_str(const struct endpoint *e, char *buf, size_t size)
{
	char a[IPADDR_STRLEN];

	snprintf(buf, size, e->addr.family == AF_INET6 ? "[%s]:%u" : "%s:%u",
	         ipaddr_str(&e->addr, a, sizeof(a)), e->port);
	return buf;
}
