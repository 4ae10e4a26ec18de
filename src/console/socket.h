/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The console's listening socket. */
#pragma once

#include "base/addr.h"
#include "base/log.h"

/*
 * A bound, listening, non-blocking TCP socket in the network namespace at a path ("": the caller's).
 * Logs what fails and returns
 * a negative errno.
 */
int console_listen(const struct endpoint *at, const char *netns, int backlog, struct log *log);
