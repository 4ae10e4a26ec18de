/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The daemon's end of charon's link, for tests: gives SPIs, keeps the names of SAs, answers as it is
 * told on its standard input, and writes a line for each message to its standard output.
 */
#pragma once

#include "sslink/sslink.h"

#include <stdbool.h>
#include <stdint.h>

#define FAKE_SAS_MAX 1024

struct fake_sa {
	uint32_t spi; /* 0: unused */
	bool inbound;
	struct ipaddr dst;
};

struct fake {
	const char *path;
	uint64_t instance;
	uint32_t next_spi;
	int listener, link; /* -1: none */
	bool mute; /* answers nothing */
	unsigned int slow_ms; /* before each answer until SYNC_END has its */
	bool synced;
	uint8_t verdict[SSLINK_TYPE_MAX]; /* enum sslink_status, what requests of a type get */
	struct fake_sa sas[FAKE_SAS_MAX];
};

/* fake_log.c: one line, with a digest of the keys where there are some. */
void fake_log_msg(const struct sslink_msg *m);
void fake_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* fake_daemon.c */
void fake_send(struct fake *f, const void *p, size_t len);
void fake_send_msg(struct fake *f, const struct sslink_msg *m);
void fake_listen(struct fake *f);
void fake_hang_up(struct fake *f); /* the link */
void fake_leave(struct fake *f); /* the link and the listening socket */
void fake_forget(struct fake *f); /* all SAs */

/* fake_orders.c: one line of standard input. False when it is none: the test is wrong. */
bool fake_order(struct fake *f, char *line);
