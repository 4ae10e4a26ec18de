/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* The runs of swanctl, which a shell script plays. */
#include "rig.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Runs the loop until charon is loaded, or 8 s have passed. */
static bool loaded(struct rig *r)
{
	struct charon_stats st;

	for (int i = 0; i < 800; i++) {
		charon_stats_get(r->charon, &st);
		if (st.loaded)
			return true;
		rig_run_ms(r, 10);
	}
	return false;
}

static void test_once(void)
{
	char got[2048], want[512];
	struct charon_stats st;
	struct rig r;
	int fd, leak;

	rig_init(&r);
	/* The shell itself opens the script, as descriptor 10 or so. */
	rig_swanctl(&r, "echo \"$@\" > $D/args\necho $SWANCTL_DIR > $D/env\n"
	                "readlink /proc/$$/fd/0 > $D/stdin\nls -l /proc/$$/fd > $D/fds\n"
	                "cp $D/run/swanctl/swanctl.conf $D/seen; echo said; echo complained >&2");
	CU_ASSERT_FATAL(rig_start(&r));
	rig_run_ms(&r, 50);
	charon_stats_get(r.charon, &st);
	CU_ASSERT_EQUAL(st.loads, 0);
	fd = rig_connect(&r);
	leak = dup(fd); /* without close-on-exec, as some of DPDK's */
	CU_ASSERT_TRUE(loaded(&r));
	close(leak);
	snprintf(want, sizeof(want),
	         "--load-all --clear --noprompt --file %s/run/swanctl/swanctl.conf --uri "
	         "unix://%s/run/charon.vici\n",
	         r.dir, r.dir);
	CU_ASSERT_STRING_EQUAL(rig_read(&r, "args", got, sizeof(got)), want);
	snprintf(want, sizeof(want), "%s/run/swanctl\n", r.dir);
	CU_ASSERT_STRING_EQUAL(rig_read(&r, "env", got, sizeof(got)), want);
	CU_ASSERT_STRING_EQUAL(rig_read(&r, "stdin", got, sizeof(got)), "/dev/null\n");
	CU_ASSERT_PTR_NOT_NULL(
	        strstr(rig_read(&r, "seen", got, sizeof(got)), "secret = 0sdmVyeSBzZWNyZXQ="));
	CU_ASSERT_STRING_EQUAL(rig_read(&r, "run/swanctl/load.log", got, sizeof(got)),
	                       "said\ncomplained\n");
	CU_ASSERT_PTR_NULL(strstr(rig_read(&r, "fds", got, sizeof(got)), "socket:"));
	CU_ASSERT_PTR_NULL(strstr(got, "eventpoll"));
	rig_run_ms(&r, 300);
	charon_stats_get(r.charon, &st);
	CU_ASSERT_EQUAL(st.loads, 1);
	CU_ASSERT_EQUAL(st.load_failures, 0);
	/* A new charon has nothing yet. */
	close(fd);
	rig_until(&r, &r.downs, 1);
	charon_stats_get(r.charon, &st);
	CU_ASSERT_FALSE(st.loaded);
	fd = rig_connect(&r);
	CU_ASSERT_TRUE(loaded(&r));
	charon_stats_get(r.charon, &st);
	CU_ASSERT_EQUAL(st.loads, 2);
	close(fd);
	rig_fini(&r);
}

static void test_retries(void)
{
	struct charon_stats st;
	struct rig r;
	int fd;

	rig_init(&r);
	/* Fails, is killed, and only then succeeds. */
	rig_swanctl(&r, "echo x >> $D/n\ncase $(wc -l < $D/n) in\n1) exit 22;;\n2) kill -9 "
	                "$$;;\nesac");
	CU_ASSERT_FATAL(rig_start(&r));
	fd = rig_connect(&r);
	CU_ASSERT_TRUE(loaded(&r));
	charon_stats_get(r.charon, &st);
	CU_ASSERT_EQUAL(st.loads, 3);
	CU_ASSERT_EQUAL(st.load_failures, 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.lines, "reason=\"exit code 22\" retry_ms=200"));
	CU_ASSERT_PTR_NOT_NULL(strstr(r.lines, "reason=\"signal 9\" retry_ms=400"));
	close(fd);
	rig_fini(&r);
}

static void test_no_program(void)
{
	struct charon_stats st;
	struct rig r;
	int fd;

	rig_init(&r);
	unlink(rig_path(&r, "swanctl"));
	CU_ASSERT_FATAL(rig_start(&r));
	fd = rig_connect(&r);
	rig_until(&r, &r.ups, 1);
	rig_run_ms(&r, 50);
	charon_stats_get(r.charon, &st);
	CU_ASSERT_EQUAL(st.loads, 0);
	CU_ASSERT_EQUAL(st.load_failures, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.lines, "No such file or directory"));
	rig_swanctl(&r, "exit 0");
	CU_ASSERT_TRUE(loaded(&r));
	close(fd);
	rig_fini(&r);
}

/* Without a charon there is nothing to load. */
static void test_charon_gone(void)
{
	struct charon_stats st, later;
	struct rig r;
	int fd;

	rig_init(&r);
	rig_swanctl(&r, "exit 1");
	CU_ASSERT_FATAL(rig_start(&r));
	fd = rig_connect(&r);
	rig_until(&r, &r.ups, 1);
	rig_run_ms(&r, 50);
	close(fd);
	rig_until(&r, &r.downs, 1);
	rig_run_ms(&r, 50);
	charon_stats_get(r.charon, &st);
	rig_run_ms(&r, 600);
	charon_stats_get(r.charon, &later);
	CU_ASSERT_EQUAL(later.loads, st.loads);
	CU_ASSERT_FALSE(later.loaded);
	rig_fini(&r);
}

/* A charon that comes while swanctl still talks to the one before gets a run of its own. */
static void test_overtaken(void)
{
	struct charon_stats st;
	struct rig r;
	int a, b;

	rig_init(&r);
	rig_swanctl(&r, "sleep 0.3");
	CU_ASSERT_FATAL(rig_start(&r));
	a = rig_connect(&r);
	rig_until(&r, &r.ups, 1);
	b = rig_connect(&r);
	rig_until(&r, &r.ups, 2);
	CU_ASSERT_TRUE(loaded(&r));
	charon_stats_get(r.charon, &st);
	CU_ASSERT_EQUAL(st.loads, 2);
	close(a);
	close(b);
	rig_fini(&r);
}

static void test_stop(void)
{
	struct rig r;
	char got[64];
	int fd;

	rig_init(&r);
	rig_swanctl(&r, "echo $$ > $D/pid; exec sleep 60");
	CU_ASSERT_FATAL(rig_start(&r));
	fd = rig_connect(&r);
	rig_until(&r, &r.ups, 1);
	for (int i = 0; i < 500 && rig_read(&r, "pid", got, sizeof(got))[0] == '\0'; i++)
		rig_run_ms(&r, 10);
	CU_ASSERT_FATAL(atoi(got) > 0);
	charon_free(r.charon);
	r.charon = NULL;
	snprintf(got, sizeof(got), "/proc/%d", atoi(rig_read(&r, "pid", got, sizeof(got))));
	CU_ASSERT_NOT_EQUAL(access(got, F_OK), 0);
	close(fd);
	rig_fini(&r);
}

void register_load(void)
{
	CU_pSuite s = CU_add_suite("ike: load", NULL, NULL);

	CU_add_test(s, "one run a charon", test_once);
	CU_add_test(s, "retries", test_retries);
	CU_add_test(s, "no program", test_no_program);
	CU_add_test(s, "charon is gone", test_charon_gone);
	CU_add_test(s, "overtaken", test_overtaken);
	CU_add_test(s, "stop", test_stop);
}
