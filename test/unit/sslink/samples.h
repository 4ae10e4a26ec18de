/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* One full message of each type, with no two fields alike. */
#pragma once

#include "sslink/sslink.h"

/* The sample of type t; the caller owns it. */
void sample(enum sslink_type t, struct sslink_msg *out);

/* An address from text; fails the test when it is none. */
struct ipaddr address(const char *text);

/* Encodes m, which must succeed; the length. */
size_t encoded(const struct sslink_msg *m, uint8_t buf[SSLINK_MSG_MAX]);

void add_roundtrip_tests(void);
void add_refusal_tests(void);
void add_describe_tests(void);
