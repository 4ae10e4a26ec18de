/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * What strongSwan's configure would have written to config.h; given to the compiler by -include, so
 * that a configured tree is not needed. Wrong lines here do not fail to compile: they change the
 * layout of charon's objects.
 *
 * ME (mediation) is such a line: Debian builds with it, and without it every method of ike_sa_t
 * behind the mediation ones is called through the wrong slot. abi.c holds the sizes, and refuses a
 * charon that was built without it. The lines of bool decide its size. The others only choose which
 * inline helper is used.
 */
#pragma once

#define CONFIG_H_INCLUDED

#define ME

#define HAVE_STDBOOL_H 1
#define HAVE__BOOL     1

#define USE_IKEV1
#define USE_IKEV2
#define HAVE_INT128
#define HAVE_GCC_SYNC_OPERATIONS
#define HAVE_SIGWAITINFO    1
#define HAVE_CLOSEFROM      1
#define HAVE_EXPLICIT_BZERO 1
#define HAVE_MEMRCHR        1
#define HAVE_FMEMOPEN       1
#define HAVE_ALLOCA_H       1
#define HAVE_SYS_PARAM_H    1
#define HAVE_CLOCK_GETTIME  1
#define HAVE_CONDATTR_CLOCK_MONOTONIC
