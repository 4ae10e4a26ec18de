/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Internet addresses, prefixes and endpoints of either family, as text and as values. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ipaddr {
	uint8_t family; /* AF_INET, AF_INET6, or 0: no address */
	uint8_t b[16]; /* network byte order; IPv4 in the first four, the rest zero */
};

struct ipprefix {
	struct ipaddr addr; /* as written: host bits may be set */
	uint8_t len; /* bits */
};

struct endpoint {
	struct ipaddr addr;
	uint16_t port; /* host byte order */
};

#define IPADDR_STRLEN   48
#define ENDPOINT_STRLEN 64

/* Makes an IPv4 address from a number in host byte order. */
struct ipaddr ipaddr_v4(uint32_t host_order);

/* The IPv4 address as a number in host byte order; 0 when a is not IPv4. */
uint32_t ipaddr_to_v4(const struct ipaddr *a);

/* True when both are of one family and equal (two absent addresses are equal). */
bool ipaddr_eq(const struct ipaddr *a, const struct ipaddr *b);
bool endpoint_eq(const struct endpoint *a, const struct endpoint *b);

/* True when a is 0.0.0.0 or ::, or absent. */
bool ipaddr_is_any(const struct ipaddr *a);

/* A 64-bit mix of address and port with a secret seed; for hash tables, not for security. */
uint64_t endpoint_hash(const struct endpoint *e, uint64_t seed);

/* Parses "192.0.2.1" or "2001:db8::1". Returns 0, or -EINVAL. */
int ipaddr_parse(const char *text, struct ipaddr *out);

/* Parses "192.0.2.0/24". Returns 0, or -EINVAL (no length, length too large, not an address). */
int ipprefix_parse(const char *text, struct ipprefix *out);

/* True when a lies in p. */
bool ipprefix_contains(const struct ipprefix *p, const struct ipaddr *a);

/* Write text into buf (of at least the size above) and return buf. */
char *ipaddr_str(const struct ipaddr *a, char *buf, size_t size);
char *endpoint_str(const struct endpoint *e, char *buf, size_t size); /* "192.0.2.1:1701" */
