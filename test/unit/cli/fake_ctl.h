/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#pragma once

#include "control/ctl.h"
#include "ports/ports.h"

extern struct fake {
	uint32_t n_tunnels, n_sessions, profile_sessions, cleared;
	struct ctl_tunnel_view tunnel; /* the model of all */
	struct ctl_session_view session;
	struct conn conn;
	struct ctl_stats stats;
	struct dp_stats dp;
	struct ports_info port; /* the only one */
	struct ports_twin_info twin; /* .. */
	struct ports_kernel_info kernel;
} fake;
