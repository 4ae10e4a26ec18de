/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "unit/esp/rig.h"

#include <CUnit/Basic.h>

int main(void)
{
	CU_SuiteInfo suites[] = {
	        {"esp: published vectors", NULL, NULL, NULL, NULL, tests_vectors},
	        {"esp: against OpenSSL", NULL, NULL, NULL, NULL, tests_cross},
	        {"esp: tampering", NULL, NULL, NULL, NULL, tests_tamper},
	        {"esp: replay", NULL, NULL, NULL, NULL, tests_replay},
	        {"esp: IVs and numbers", NULL, NULL, NULL, NULL, tests_iv},
	        {"esp: SAs", NULL, NULL, NULL, NULL, tests_sa},
	        {"esp: ill-formed packets", NULL, NULL, NULL, NULL, tests_packet},
	        {"esp: packet by packet", NULL, NULL, NULL, NULL, tests_seal},
	        {"esp: decryption in parts", NULL, NULL, NULL, NULL, tests_open},
	        CU_SUITE_INFO_NULL,
	};
	unsigned int failed;
	char why[200] = "";

	rig_esp = esp_new(why, sizeof(why));
	if (rig_esp == NULL) {
		printf("%s\n", why);
		return 1;
	}
	printf("multi-buffer library: %s\n", esp_arch_name(rig_esp));
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	esp_free(rig_esp);
	return failed != 0;
}
