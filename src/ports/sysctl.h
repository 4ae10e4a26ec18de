/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Per-interface switches of the kernel under /proc/sys/net. */
#pragma once

/*
 * Writes value to /proc/sys/net/FAMILY/conf/IFNAME/KEY and returns the value that was there, or
 * -errno (the switch does not exist when the kernel lacks the family).
 */
int sysctl_if_set(const char *family, const char *ifname, const char *key, int value);
