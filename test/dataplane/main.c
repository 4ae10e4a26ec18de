/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "dataplane/esp_rig.h"

#include <CUnit/Basic.h>
#include <stdio.h>

/* One worker does everything; or the sessions' owner is not the worker that frames reach. */
static int one_worker(void)
{
	rig()->n_workers = 1;
	rig()->owner = 0;
	return 0;
}

static int two_workers(void)
{
	rig()->n_workers = 2;
	rig()->owner = 1;
	return 0;
}

/* A reason that no test reaches is a reason that no one can trust. */
static void test_every_reason(void)
{
	for (int d = 1; d < DP_DROP_MAX; d++) {
		if (rig()->dropped[d] == 0)
			printf("\n    no test reaches %s", dp_drop_name((enum dp_drop)d));
		CU_ASSERT_NOT_EQUAL(rig()->dropped[d], 0);
		CU_ASSERT_STRING_NOT_EQUAL(dp_drop_name((enum dp_drop)d), "");
		CU_ASSERT_STRING_NOT_EQUAL(dp_drop_help((enum dp_drop)d), "");
	}
	CU_ASSERT_STRING_EQUAL(dp_drop_name(DP_DROP_MAX), "unknown");
}

int main(void)
{
	CU_TestInfo last[] = {{"every drop reason is reached", test_every_reason},
	                      CU_TEST_INFO_NULL};
	CU_SuiteInfo suites[] = {
	        {"upstream, one worker", one_worker, NULL, NULL, NULL, up_tests()},
	        {"upstream, two workers", two_workers, NULL, NULL, NULL, up_tests()},
	        {"two ways upstream, one worker", one_worker, NULL, NULL, NULL, ways_up_tests()},
	        {"two ways upstream, two workers", two_workers, NULL, NULL, NULL, ways_up_tests()},
	        {"two ways downstream, one worker", one_worker, NULL, NULL, NULL,
	         ways_down_tests()},
	        {"two ways downstream, two workers", two_workers, NULL, NULL, NULL,
	         ways_down_tests()},
	        {"two ways through SAs, one worker", one_worker, NULL, NULL, NULL,
	         ways_esp_tests()},
	        {"two ways through SAs, two workers", two_workers, NULL, NULL, NULL,
	         ways_esp_tests()},
	        {"short cuts, one worker", one_worker, NULL, NULL, NULL, short_cuts_tests()},
	        {"short cuts, two workers", two_workers, NULL, NULL, NULL, short_cuts_tests()},
	        {"downstream, one worker", one_worker, NULL, NULL, NULL, down_tests()},
	        {"downstream, two workers", two_workers, NULL, NULL, NULL, down_tests()},
	        {"paths, one worker", one_worker, NULL, NULL, NULL, path_tests()},
	        {"paths, two workers", two_workers, NULL, NULL, NULL, path_tests()},
	        {"reassembly, one worker", one_worker, NULL, NULL, NULL, reassembly_tests()},
	        {"reassembly, two workers", two_workers, NULL, NULL, NULL, reassembly_tests()},
	        {"control, one worker", one_worker, NULL, NULL, NULL, control_tests()},
	        {"control, two workers", two_workers, NULL, NULL, NULL, control_tests()},
	        {"sessions, one worker", one_worker, NULL, NULL, NULL, session_tests()},
	        {"sessions, two workers", two_workers, NULL, NULL, NULL, session_tests()},
	        {"between workers", two_workers, NULL, NULL, NULL, worker_tests()},
	        {"ESP upstream, one worker", one_worker, NULL, NULL, NULL, esp_up_tests()},
	        {"ESP upstream, two workers", two_workers, NULL, NULL, NULL, esp_up_tests()},
	        {"ESP refused, one worker", one_worker, NULL, NULL, NULL, esp_bad_tests()},
	        {"ESP refused, two workers", two_workers, NULL, NULL, NULL, esp_bad_tests()},
	        {"ESP before its SA, one worker", one_worker, NULL, NULL, NULL, esp_hold_tests()},
	        {"ESP before its SA, two workers", two_workers, NULL, NULL, NULL, esp_hold_tests()},
	        {"ESP downstream, one worker", one_worker, NULL, NULL, NULL, esp_down_tests()},
	        {"ESP downstream, two workers", two_workers, NULL, NULL, NULL, esp_down_tests()},
	        {"ESP in UDP, one worker", one_worker, NULL, NULL, NULL, esp_natt_tests()},
	        {"ESP in UDP, two workers", two_workers, NULL, NULL, NULL, esp_natt_tests()},
	        {"ESP control, one worker", one_worker, NULL, NULL, NULL, esp_control_tests()},
	        {"ESP control, two workers", two_workers, NULL, NULL, NULL, esp_control_tests()},
	        {"ESP limits, one worker", one_worker, NULL, NULL, NULL, esp_limits_tests()},
	        {"ESP limits, two workers", two_workers, NULL, NULL, NULL, esp_limits_tests()},
	        {"ESP rekey, one worker", one_worker, NULL, NULL, NULL, esp_rekey_tests()},
	        {"ESP rekey, two workers", two_workers, NULL, NULL, NULL, esp_rekey_tests()},
	        {"latch, one worker", one_worker, NULL, NULL, NULL, esp_latch_tests()},
	        {"latch, two workers", two_workers, NULL, NULL, NULL, esp_latch_tests()},
	        {"ESP between workers", two_workers, NULL, NULL, NULL, esp_worker_tests()},
	        {"NUMA nodes", two_workers, NULL, NULL, NULL, numa_tests()},
	        {"reasons", one_worker, NULL, NULL, NULL, last},
	        CU_SUITE_INFO_NULL,
	};
	unsigned failed;

	if (rig_start() != 0) {
		fprintf(stderr, "EAL or ports failed to start\n");
		return 1;
	}
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed == 0 ? 0 : 1;
}
