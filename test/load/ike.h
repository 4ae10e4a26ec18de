/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The daemon's end of lib/sslink toward the charon of a client: listens for its plugin, gives SPIs,
 * keeps the SAs. charon dials; whoever uses this sends and receives by load/esp_net.h.
 *
 * It is the client of a test and not an honest one: the SAs that charon takes away are marked and
 * kept, so that one can go on using them. Rekeying is not followed.
 */
#pragma once

#include "load/esp_net.h"
#include "sslink/sslink.h"

#include <stdbool.h>
#include <stdint.h>

struct ike;

struct ike_child {
	struct esp_path path; /* first: esp_net gives and takes this */
	uint64_t id; /* 1.. */
	uint32_t ike_id, reqid;
	bool up; /* both SAs were there */
	bool deleted; /* charon has taken them away since */
	void *user;
};

struct ike_ops {
	void (*ike_up)(void *ctx, uint32_t ike_id); /* authenticated, both ways */
	void (*ike_down)(void *ctx, uint32_t ike_id);
	void (*child_up)(void *ctx, struct ike_child *c);
	void (*child_deleted)(void *ctx, struct ike_child *c);
};

/*
 * Listens at path (a stale socket there is removed). e makes the SAs and is the caller's. NULL: failed,
 * with a sentence on stderr.
 */
struct ike *ike_new(const char *path, struct esp *e, const struct ike_ops *ops, void *ctx);
void ike_free(struct ike *k);

/* Readable when ike_receive has something to do. */
int ike_fd(const struct ike *k);
void ike_receive(struct ike *k);

/* The plugin is there, and its replay of what it had is over. */
bool ike_ready(const struct ike *k);
/* How often plugins connected, and messages that made no sense. */
uint32_t ike_links(const struct ike *k), ike_bad(const struct ike *k);

/* NULL: there is none. */
struct ike_child *ike_child_of_spi(const struct ike *k, uint32_t spi_in);
struct ike_child *ike_child_of_id(const struct ike *k, uint64_t id);
