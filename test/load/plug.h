/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * A charon with very many peers, as the daemon sees it: dials the daemon's socket like the plugin and
 * hands in the SAs of one CHILD_SA a peer, in the order in which charon does. No IKE is spoken: the keys
 * are random, and the peers' ends of the SAs are made with them.
 */
#pragma once

#include "load/esp_net.h"

#include <stdbool.h>
#include <stdint.h>

struct plug;

/* One peer: transport mode between two addresses, UDP 1701 at both ends. */
struct plug_peer {
	struct esp_path path; /* first; of the peer: out is the daemon's inbound SA */
	uint32_t number; /* 0.. */
	bool up; /* both SAs are in */
};

struct plug_ops {
	void (*up)(void *ctx, struct plug_peer *p);
	void (*down)(void *ctx, struct plug_peer *p); /* the daemon has terminated its IKE_SA */
};

/*
 * Connects and says HELLO and SYNC_END. e makes the SAs and is the caller's. cbc: AES-128-CBC with
 * HMAC-SHA1, else AES-128-GCM. NULL: failed, with a sentence on stderr.
 */
struct plug *plug_open(const char *path, const char *profile, struct esp *e, bool cbc,
                       uint32_t peers, const struct plug_ops *ops, void *ctx);
void plug_close(struct plug *g);

int plug_fd(const struct plug *g);
/* Reads what the daemon says. False: the link is lost. */
bool plug_receive(struct plug *g);

/* Brings peer number n up, from local (the peer's address) to remote. False: the socket is full. */
bool plug_dial(struct plug *g, uint32_t n, const struct ipaddr *local, const struct ipaddr *remote);

/* What has been said leaves; also when much of it waits. False: the link is lost. */
bool plug_flush(struct plug *g);

/* The peer whose inbound SPI this is; NULL: none. */
struct plug_peer *plug_of_spi(struct plug *g, uint32_t spi);
struct plug_peer *plug_peer(struct plug *g, uint32_t n);
/* Requests that the daemon has refused. */
uint32_t plug_refused(const struct plug *g);
