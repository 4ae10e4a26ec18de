/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
/* charon's objects as the structures of lib/sslink, and back. */
#pragma once

#include "sslink/sslink.h"

#include <daemon.h>

/* Absent (family 0) when h is NULL or %any. */
struct ipaddr ipaddr_of(host_t *h);
struct endpoint endpoint_of(host_t *h);

/* NULL when absent; the caller destroys it. */
host_t *host_of(const struct ipaddr *a, uint16_t port);

/* False when it cannot be said as one range of addresses and ports (OPAQUE ports). */
bool ts_of(traffic_selector_t *ts, struct sslink_ts *out);

/* All zero when sa is NULL. */
void ike_of(ike_sa_t *sa, struct sslink_ike *out);

/* The IKE_SA that the calling thread has checked out, by the bus. */
void ike_of_thread(struct sslink_ike *out);
