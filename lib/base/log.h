/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Log lines in key=value form. An engine gets a struct log from whoever drives it and never knows
 * where lines go. Secrets (passwords, keys, challenge responses) are never put into a line.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LVL_ERROR, LOG_LVL_WARNING, LOG_LVL_NOTICE, LOG_LVL_INFO, LOG_LVL_DEBUG };

struct log {
	enum log_level level; /* lines above this level are not formatted */
	/* Takes one finished line without a newline. */
	void (*sink)(struct log *log, enum log_level level, const char *line);
	void *arg;
};

/* A sink that writes "<time> <level> <line>\n" to stderr. */
void log_sink_stderr(struct log *log, enum log_level level, const char *line);

/* A sink that gives lines to syslog(3); the program calls openlog itself. */
void log_sink_syslog(struct log *log, enum log_level level, const char *line);

/* "error", "warning", "notice", "info" or "debug". */
const char *log_level_name(enum log_level level);

/* Formats and hands on one line (cut at 1,023 bytes; control bytes become '?'). log may be NULL. */
void log_msg(struct log *log, enum log_level level, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

#define log_error(log, ...)   log_msg(log, LOG_LVL_ERROR, __VA_ARGS__)
#define log_warning(log, ...) log_msg(log, LOG_LVL_WARNING, __VA_ARGS__)
#define log_notice(log, ...)  log_msg(log, LOG_LVL_NOTICE, __VA_ARGS__)
#define log_info(log, ...)    log_msg(log, LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(log, ...)   log_msg(log, LOG_LVL_DEBUG, __VA_ARGS__)

/* A bucket for lines that a stranger can cause: at most burst at once, then one each every_ms. */
struct log_limit {
	uint32_t every_ms, burst;
	uint64_t credit_ms, last_ms; /* state, zero at start */
	uint64_t suppressed; /* lines not written since the last that was */
	bool started; /* a clock may begin at 0 */
};

/* True when a line may be written now; *skipped tells how many were not since the last one. */
bool log_limit_ok(struct log_limit *l, uint64_t now_ms, uint64_t *skipped);
