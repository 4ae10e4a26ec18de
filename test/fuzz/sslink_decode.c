/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* A message from the other end of charon's link: what decodes has this one form. */
#include "sslink/sslink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sslink_msg nothing;
	uint8_t again[SSLINK_MSG_MAX];
	struct sslink_msg m;
	char line[2048];
	int n, r = sslink_decode(data, size, &m);

	if (r == -EPROTONOSUPPORT)
		return 0;
	if (r != 0) {
		if (r != -EINVAL || memcmp(&m, &nothing, sizeof(m)) != 0)
			abort();
		return 0;
	}
	n = sslink_encode(&m, again, sizeof(again));
	if (n < 0 || (size_t)n != size || memcmp(again, data, size) != 0)
		abort();
	sslink_describe(&m, line, sizeof(line));
	if (strlen(line) >= sizeof(line) || strchr(line, '\n') != NULL)
		abort();
	sslink_wipe(&m, sizeof(m));
	if (memcmp(&m, &nothing, sizeof(m)) != 0)
		abort();
	return 0;
}
