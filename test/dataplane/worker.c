/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "dataplane/rig.h"
static CU_TestInfo tests[] = {
        CU_TEST_INFO_NULL,
};

CU_TestInfo *worker_tests(void)
{
	return tests;
}
