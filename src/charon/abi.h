/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
/* Whether the running charon is the one whose headers this plugin was built with. */
#pragma once

#include <stdbool.h>

/* False, with one line in charon's log, when it is not: then nothing of charon may be called. */
bool abi_check(void);
