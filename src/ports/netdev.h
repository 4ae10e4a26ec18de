/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The kernel device beneath a net_af_packet or net_af_xdp port. While it is ours it is up, has the
 * port's MTU, speaks no IPv6 of its own and hands over frames as they came in on the wire. What was
 * there before is put back by netdev_release.
 */
#pragma once

#include "base/log.h"
#include "ports/nl.h"

#include <stdbool.h>
#include <stdint.h>

struct netdev;

/*
 * drop: the kernel's stack gets none of the device's frames (net_af_packet). mtu 0: as it is.
 * Returns NULL with errno set, after a line in the log.
 */
struct netdev *netdev_take(const char *ifname, uint16_t mtu, bool drop, struct nl *nl,
                           struct log *log);
void netdev_release(struct netdev *d, struct nl *nl);

/* True when the device has a carrier, or cannot tell. */
bool netdev_has_link(const struct netdev *d);
