/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Why packets are dropped: the one list that the console, metrics, logs and tests share.
 * X(symbol, "name in shows", "what it means")
 */
#pragma once

/* clang-format off */
#define DP_DROP_LIST(X) \
	X(NONE, "none", "no reason: never counted") \
	X(ETH_SHORT, "eth-short", "frame shorter than its Ethernet or 802.1Q header") \
	X(ETH_VLAN_UNKNOWN, "vlan-unknown", "802.1Q tag of no configured sub-interface")
/* clang-format on */
