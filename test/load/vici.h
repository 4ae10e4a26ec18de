/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * As much of charon's control protocol (vici, over its UNIX socket) as a client needs that dials: to
 * initiate a CHILD_SA and to end an IKE_SA, without waiting for either.
 */
#pragma once

#include <stdint.h>

struct vici {
	int fd;
	uint32_t requests, refused; /* answers that said no */
};

/* Connects to the socket at path. 0, or -errno. */
int vici_open(struct vici *v, const char *path);
void vici_close(struct vici *v);

/* Asks for a CHILD_SA by the names of swanctl.conf. What comes of it, the plugin tells. 0, -errno. */
int vici_initiate(struct vici *v, const char *connection, const char *child);
/* Ends an IKE_SA by its unique id, with a Delete to the peer. */
int vici_terminate(struct vici *v, uint32_t ike_id);

/* Takes answers in; call it when fd is readable. 0, or -errno: the socket is lost. */
int vici_receive(struct vici *v);
