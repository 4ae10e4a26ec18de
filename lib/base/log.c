/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>

static const char *const level_names[] = {"error", "warning", "notice", "info", "debug"};
static const int syslog_levels[] = {LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG};

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

void log_sink_stderr(struct log *log, enum log_level level, const char *line)
{
	struct timespec ts;
	struct tm tm;
	char when[32];

	(void)log;
	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(stderr, "%s.%03ld %s %s\n", when, ts.tv_nsec / 1000000, level_names[level], line);
}

void log_sink_syslog(struct log *log, enum log_level level, const char *line)
{
	(void)log;
	syslog(syslog_levels[level], "%s", line);
}

void log_msg(struct log *log, enum log_level level, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	if (log == NULL || log->sink == NULL || level > log->level)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* Names and messages come from peers: no terminal control sequence gets through. */
	for (unsigned char *p = (unsigned char *)line; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
	log->sink(log, level, line);
}

bool log_limit_ok(struct log_limit *l, uint64_t now_ms, uint64_t *skipped)
{
	uint64_t full = (uint64_t)l->every_ms * l->burst;

	if (!l->started)
		l->credit_ms = full;
	else if (now_ms > l->last_ms)
		l->credit_ms += now_ms - l->last_ms;
	l->started = true;
	l->last_ms = now_ms;
	if (l->credit_ms > full)
		l->credit_ms = full;
	if (l->credit_ms < l->every_ms) {
		l->suppressed++;
		return false;
	}
	l->credit_ms -= l->every_ms;
	*skipped = l->suppressed;
	l->suppressed = 0;
	return true;
}
