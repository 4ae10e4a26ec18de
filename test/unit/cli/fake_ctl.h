/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#pragma once

#include "control/ctl.h"
#include "control/ipsec.h"
#include "ports/ports.h"

extern struct fake {
	uint32_t n_tunnels, n_sessions, n_conns, profile_sessions, cleared, turns_cleared;
	struct ctl_tunnel_view tunnel; /* the model of all */
	struct ctl_session_view session;
	struct ctl_conn_view conn; /* .. in slot n with id n + 1 */
	uint32_t n_down; /* of them, the last */
	struct ctl_stats stats;
	struct ctl_ipsec_stats ipsec;
	struct dp_stats dp;
	struct dp_load load; /* of the last 5 s; of a longer time half as busy */
	const char *pool; /* the name of every pool; NULL: "big", "small" */
	uint32_t n_pools; /* 0: 2 */
	struct ports_info port; /* the only one */
	struct ports_dist_info dist;
	struct ports_twin_info twin; /* .. */
	struct ports_kernel_info kernel;
} fake;
