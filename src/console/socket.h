/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The listening sockets of the console and of the metrics. */
#pragma once

#include "base/addr.h"
#include "base/log.h"

/*
 * A bound, listening, non-blocking TCP socket in the network namespace at a path ("": the caller's).
 * Logs what fails as event=WHO-failed and returns a negative errno.
 */
int console_listen(const struct endpoint *at, const char *netns, int backlog, const char *who,
                   struct log *log);
