/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/* Proposals in strongSwan's words: "aes256-aes128-sha256-ecp256". */
#pragma once

#include "config/config.h"
#include "esp/esp.h"

#include <stdbool.h>
#include <stddef.h>

enum proposal_kind { PROPOSAL_IKE, PROPOSAL_ESP };

/*
 * True when charon takes the proposal as it is meant, and, of ESP, when lib/esp does every
 * combination of it. Otherwise false, and why holds a sentence: "\"foo\" is no algorithm of ESP".
 */
bool proposal_ok(const char *text, enum proposal_kind kind, bool weak, char *why, size_t size);

/* Reads one cipher and at most one hash. 0, or -EINVAL with a sentence in why. */
int proposal_suite(const char *text, struct esp_suite *out, char *why, size_t size);

/*
 * The nth, from 0, of the proposals with one algorithm of each type that text stands for; those with its
 * first cipher come first. False: there are no more, or text is not ok.
 */
bool proposal_single(const char *text, enum proposal_kind kind, unsigned int n,
                     char out[CFG_PROPOSAL_MAX]);
