/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Keeps the kernel's own stack off a device whose frames we take with a packet socket, which leaves
 * the kernel a copy of each: it would answer everything a second time. An nftables chain behind
 * the packet socket drops the copies. Its table belongs to our netlink socket, so the kernel removes
 * it when we go, however we go.
 */
#pragma once

struct nft_drop;

/* Returns NULL with errno set: EPERM (not root), EOPNOTSUPP or ENOENT (no nf_tables in the kernel). */
struct nft_drop *nft_drop_new(const char *ifname);
void nft_drop_free(struct nft_drop *d);
