/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* What the files of src/ports share. */
#pragma once

#include "ports/dist.h"
#include "ports/netdev.h"
#include "ports/nl.h"
#include "ports/ports.h"
#include "ports/steer.h"

#include <net/if.h>

struct event;
struct kernel;

struct port {
	const struct cfg_port *cfg;
	char dev_name[128];
	char driver[32];
	char netdev_name[IFNAMSIZ]; /* device of the kernel beneath; empty: none */
	struct netdev *netdev;
	uint16_t port_id, n_rxq, n_txq, mtu;
	int socket;
	uint8_t mac[6];
	bool made, configured, link_up;
	struct dist_caps caps;
	struct dist_plan plan;
	struct steer steer;
};

struct twin {
	struct ports *ports;
	const struct port *port; /* NULL: the subscribers' tun */
	char name[IFNAMSIZ];
	uint16_t ifidx; /* DP_IF_NONE: the subscribers' tun */
	uint16_t vlan;
	int ifindex; /* the kernel's */
	int fd;
	bool up, carrier;
	struct event *readable;
	uint64_t to_kernel, to_kernel_dropped, from_kernel, from_kernel_dropped;
};

struct ports {
	const struct config *config;
	struct dp *dp;
	struct event_base *base;
	struct log *log;
	struct nl *nl;
	struct kernel *kernel;
	struct port *port; /* config->n_ports of them */
	struct twin *twins; /* the subscribers' tun is the last */
	uint32_t n_twins;
	struct twin *by_ifidx[DP_MAX_IFS];
	struct event *link_timer;
	uint8_t *frame; /* one frame from a twin */
};

/* ---- port.c ---- */

/* Finds the device, sets up its queues and starts it. 0 or -errno, logged. */
int port_open(struct ports *p, struct port *port);
void port_close(struct ports *p, struct port *port);
/* The data plane has the port: what spreads its packets over workers is chosen, and logged. */
void port_distribute(struct ports *p, struct port *port);
/* Reads the link; logs a change. Returns true when it changed. */
bool port_link_poll(struct ports *p, struct port *port);

/* ---- twin.c ---- */

/* What a twin is to be; name and ifidx are set in the twin already. */
struct twin_conf {
	bool tun; /* IP packets, no MAC */
	const uint8_t *mac;
	uint16_t mtu;
	const struct ipprefix *addresses;
	uint32_t n_addresses;
};
int twin_open(struct ports *p, struct twin *t, const struct twin_conf *conf);
void twin_close(struct twin *t);
void twin_write(struct twin *t, const uint8_t *data, uint32_t len);
/* Shows the kernel the state of the wire. */
void twin_set_carrier(struct twin *t, bool on);

struct twin *twin_by_kernel(struct ports *p, int ifindex);

/* ---- kernel.c: reads the kernel and follows it ---- */

struct kernel *kernel_new(struct ports *p); /* reads all before it returns; NULL with errno set */
void kernel_free(struct kernel *k);
/* The data plane misses a neighbour: it is told, or the kernel asks for it. 0 or -errno. */
int kernel_resolve(struct kernel *k, uint16_t ifidx, uint32_t ip);
void kernel_info(const struct kernel *k, struct ports_kernel_info *out);
