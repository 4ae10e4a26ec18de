/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Requests to the kernel over rtnetlink. The kernel works a request off inside send(), so none of
 * these waits for anything but the kernel's own lock. All return 0 or -errno of the kernel.
 */
#pragma once

#include "base/addr.h"

#include <stdbool.h>
#include <stdint.h>

struct nl;

struct nl *nl_new(void); /* NULL with errno set */
void nl_free(struct nl *nl);

struct nl_link {
	int ifindex;
	const uint8_t *mac; /* NULL: as it is */
	uint32_t mtu; /* 0: as it is */
	int up; /* 1: up, 0: down, -1: as it is */
};
int nl_link_set(struct nl *nl, const struct nl_link *link);

/* Assigns an address; a broadcast address comes with IPv4 prefixes shorter than 31. */
int nl_addr_add(struct nl *nl, int ifindex, const struct ipprefix *addr);

struct nl_route {
	struct ipprefix prefix; /* host bits are masked off */
	struct ipaddr via; /* family 0: on link */
	int ifindex; /* 0: the kernel finds it from via */
};
/* In table main with protocol static; add replaces. */
int nl_route_add(struct nl *nl, const struct nl_route *r);
int nl_route_del(struct nl *nl, const struct nl_route *r);

/* Has the kernel resolve or confirm a neighbour as if a packet had gone there. IPv4, host order. */
int nl_neigh_use(struct nl *nl, int ifindex, uint32_t ip);
