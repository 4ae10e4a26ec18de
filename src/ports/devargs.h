/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What the device string of a port means. Pure functions. */
#pragma once

#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True for "0000:03:00.0" and "03:00.0", with or without ",arguments". */
bool devargs_is_pci(const char *device);

/* The part before the first comma: the name by which DPDK knows the device. */
void devargs_name(const char *device, char *out, size_t size);

/* True when the device is of this virtual driver: "net_tap" for "net_tap3,iface=x". */
bool devargs_is_driver(const char *device, const char *driver);

/* Copies the value of one key ("iface"). Returns false when it is absent or does not fit. */
bool devargs_get(const char *device, const char *key, char *out, size_t size);

/*
 * The device string as DPDK gets it: queues for n_workers and frames that hold the MTU are added
 * where the driver wants to hear of them and the operator has said nothing. Returns 0 or -ENAMETOOLONG.
 */
int devargs_complete(const struct cfg_port *port, uint16_t n_workers, char *out, size_t size);

/*
 * Reads a CPU list ("0,2-3"). Returns how many CPUs were written in the order of the text, -EINVAL
 * for text that is none, -E2BIG for more than max.
 */
int cpulist_parse(const char *text, uint16_t *cpus, int max);

/*
 * EAL's --lcores for control (lcore 0) and n_workers (lcores 1..) on n CPUs, the first of them
 * control's. With fewer CPUs than lcores all of them share all CPUs: *shared tells.
 */
int lcores_text(const uint16_t *cpus, int n, uint16_t n_workers, char *out, size_t size,
                bool *shared);
