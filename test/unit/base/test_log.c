/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "tests.h"

#include "base/log.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct seen {
	char line[2048];
	enum log_level level;
	unsigned int n;
};

static void keep(struct log *log, enum log_level level, const char *line)
{
	struct seen *s = log->arg;

	snprintf(s->line, sizeof(s->line), "%s", line);
	s->level = level;
	s->n++;
}

static void test_levels(void)
{
	struct seen s = {0};
	struct log log = {.level = LOG_LVL_NOTICE, .sink = keep, .arg = &s};

	log_error(&log, "a=%d", 1);
	CU_ASSERT_STRING_EQUAL(s.line, "a=1");
	CU_ASSERT_EQUAL(s.level, LOG_LVL_ERROR);
	log_warning(&log, "b");
	log_notice(&log, "c");
	CU_ASSERT_EQUAL(s.n, 3);
	log_info(&log, "d");
	log_debug(&log, "e");
	CU_ASSERT_EQUAL(s.n, 3);
	log.level = LOG_LVL_DEBUG;
	log_debug(&log, "e");
	CU_ASSERT_EQUAL(s.n, 4);
	CU_ASSERT_EQUAL(s.level, LOG_LVL_DEBUG);
	log_error(NULL, "nobody listens");
	log.sink = NULL;
	log_error(&log, "nobody listens");
	CU_ASSERT_EQUAL(s.n, 4);
	CU_ASSERT_STRING_EQUAL(log_level_name(LOG_LVL_ERROR), "error");
	CU_ASSERT_STRING_EQUAL(log_level_name(LOG_LVL_WARNING), "warning");
	CU_ASSERT_STRING_EQUAL(log_level_name(LOG_LVL_NOTICE), "notice");
	CU_ASSERT_STRING_EQUAL(log_level_name(LOG_LVL_INFO), "info");
	CU_ASSERT_STRING_EQUAL(log_level_name(LOG_LVL_DEBUG), "debug");
}

/* A peer's name cannot move the operator's cursor or forge a line. */
static void test_control_bytes(void)
{
	struct seen s = {0};
	struct log log = {.level = LOG_LVL_INFO, .sink = keep, .arg = &s};

	log_info(&log, "host=%s",
	         "\x1b[2J\r\nerror\x7f\tgr\xc3\xbc\xc3\x9f"
	         "e");
	CU_ASSERT_STRING_EQUAL(s.line, "host=?[2J??error??gr\xc3\xbc\xc3\x9f"
	                               "e");
}

static void test_long_line(void)
{
	struct seen s = {0};
	struct log log = {.level = LOG_LVL_INFO, .sink = keep, .arg = &s};
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_info(&log, "%s", text);
	CU_ASSERT_EQUAL(strlen(s.line), 1023);
}

/* What the stderr sink writes, caught through a file. */
static void test_stderr(void)
{
	struct log log = {.level = LOG_LVL_INFO, .sink = log_sink_stderr};
	char path[] = "/tmp/sallyport-log-XXXXXX", line[256] = "";
	int fd = mkstemp(path), saved = dup(STDERR_FILENO), year, month, day, h, m, s, ms, at = 0;
	ssize_t n;

	CU_ASSERT_FATAL(fd >= 0 && saved >= 0);
	fflush(stderr);
	dup2(fd, STDERR_FILENO);
	log_warning(&log, "event=test n=%d", 5);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	n = pread(fd, line, sizeof(line) - 1, 0);
	CU_ASSERT(n > 0);
	CU_ASSERT_EQUAL(sscanf(line, "%4d-%2d-%2d %2d:%2d:%2d.%3d %n", &year, &month, &day, &h, &m,
	                       &s, &ms, &at),
	                7);
	CU_ASSERT_STRING_EQUAL(line + at, "warning event=test n=5\n");
	unlink(path);
	close(fd);
	close(saved);
}

static void test_limit(void)
{
	struct log_limit l = {.every_ms = 1000, .burst = 3};
	uint64_t skipped = 99;

	/* The burst, then one a second; what was left out is told once. */
	for (int i = 0; i < 3; i++) {
		CU_ASSERT(log_limit_ok(&l, 5000, &skipped));
		CU_ASSERT_EQUAL(skipped, 0);
	}
	for (int i = 0; i < 10; i++)
		CU_ASSERT(!log_limit_ok(&l, 5999, &skipped));
	CU_ASSERT(log_limit_ok(&l, 6000, &skipped));
	CU_ASSERT_EQUAL(skipped, 10);
	CU_ASSERT(!log_limit_ok(&l, 6000, &skipped));
	CU_ASSERT(log_limit_ok(&l, 7000, &skipped));
	CU_ASSERT_EQUAL(skipped, 1);
	/* A long silence fills the bucket to the burst, not above. */
	for (int i = 0; i < 3; i++)
		CU_ASSERT(log_limit_ok(&l, 1000000, &skipped));
	CU_ASSERT(!log_limit_ok(&l, 1000000, &skipped));
}

/* Virtual time begins at 0, and a clock may be told the same or an earlier time. */
static void test_limit_clock(void)
{
	struct log_limit l = {.every_ms = 1000, .burst = 2};
	uint64_t skipped;
	int passed = 0;

	for (int i = 0; i < 10; i++)
		passed += log_limit_ok(&l, 0, &skipped);
	CU_ASSERT_EQUAL(passed, 2);
	l = (struct log_limit){.every_ms = 1000, .burst = 1};
	CU_ASSERT(log_limit_ok(&l, 5000, &skipped));
	CU_ASSERT(!log_limit_ok(&l, 4000, &skipped));
	CU_ASSERT(!log_limit_ok(&l, 4999, &skipped));
}

void register_log(void)
{
	CU_pSuite s = CU_add_suite("base: log", NULL, NULL);

	CU_add_test(s, "levels", test_levels);
	CU_add_test(s, "control bytes", test_control_bytes);
	CU_add_test(s, "long line", test_long_line);
	CU_add_test(s, "stderr", test_stderr);
	CU_add_test(s, "limit", test_limit);
	CU_add_test(s, "limit and the clock", test_limit_clock);
}
