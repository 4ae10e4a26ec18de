/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
/* The plugin's instance, and what its files offer to each other. */
#pragma once

#include "charon/link.h"
#include "charon/table.h"
#include "sslink/sslink.h"

#include <daemon.h>
#include <kernel/kernel_ipsec.h>
#include <plugins/plugin.h>

struct sallyport {
	plugin_t plugin; /* first: charon's pointer to it is ours */
	plugin_feature_t features[2];
	kernel_ipsec_t ipsec;
	listener_t listener;
	struct link *link;
	struct table *table;
	uint64_t instance; /* ours */
	unsigned int round; /* reader's: replays */
	uint64_t daemon; /* reader's: instance of the daemon our SAs are in; 0: none yet */
};

/* ipsec.c: fills s->ipsec. */
void ipsec_init(struct sallyport *s);

/* bus.c: fills s->listener. */
void bus_init(struct sallyport *s);

/* sync.c: link_ops.sync; ctx is the instance. */
int sync_link(void *ctx, struct link *l);

/* orders.c: link_ops.order; ctx is the instance. */
void carry_out_order(void *ctx, const struct sslink_msg *m);
/* Has charon delete the CHILD_SA with this SPI (of either direction), in a thread of its own. */
void order_delete_child(uint32_t spi, const struct ipaddr *dst);
/* Has charon end the IKE_SA; force: without waiting for its peer. */
void order_terminate_ike(uint32_t id, bool force);
