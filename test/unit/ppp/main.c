/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "unit/ppp/harness.h"

int main(void)
{
	unsigned int failed;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	suite_fsm();
	suite_lcp();
	suite_frame();
	suite_auth();
	suite_chap();
	suite_crypto();
	suite_ipcp();
	suite_proxy();
	suite_pair();
	suite_shared();
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed > 0;
}
