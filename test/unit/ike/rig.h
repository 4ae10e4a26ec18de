/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* An event loop, a listener in a folder of its own, a plugin played by the test, and a swanctl likewise. */
#pragma once

#include "ike/charon.h"

#include <event2/event.h>
#include <stdbool.h>

struct rig {
	struct event_base *base;
	struct config *conf;
	struct charon *charon;
	struct log log;
	char dir[64], path[160];
	char lines[8192]; /* of the log */
	/* What was called. */
	unsigned int ups, downs, messages;
	bool in_send, down_in_send;
	struct sslink_msg last;
};

/* Makes the folder, the configuration and the loop; then rig_start makes the ike. */
void rig_init(struct rig *r);
bool rig_start(struct rig *r);
void rig_fini(struct rig *r);

/* A path in the folder. */
const char *rig_path(struct rig *r, const char *name);
/* The program that stands in for swanctl: a shell script. */
void rig_swanctl(struct rig *r, const char *script);
/* The text of a file in the folder; "" without one. */
const char *rig_read(struct rig *r, const char *name, char *buf, size_t size);

/* A plugin that connects; its socket. */
int rig_connect(struct rig *r);
/* Runs the loop until *n is want, or 5 s have passed. */
void rig_until(struct rig *r, const unsigned int *n, unsigned int want);
void rig_run_ms(struct rig *r, unsigned int ms);
/* Runs the loop until the far end of a plugin's socket is closed. */
bool rig_closed(struct rig *r, int fd);
/* Encodes and sends as the plugin. */
void rig_say(int fd, const struct sslink_msg *m);

void register_link(void);
void register_load(void);
