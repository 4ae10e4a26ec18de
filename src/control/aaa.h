/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * Local authentication. Checks that cost microseconds are answered at once; crypt(3) hashes, which are
 * slow by intent, on a helper thread, so that nothing blocks the control lcore.
 */
#pragma once

#include "base/log.h"
#include "config/config.h"
#include "ppp/ppp.h"

struct aaa;
struct aaa_job; /* a check under way */

/* wake is called on the helper thread when a job has ended. The thread starts with the first job. */
struct aaa *aaa_new(const struct config *conf, void (*wake)(void *ctx), void *ctx, struct log *log);
/* Waits for the helper thread; jobs that nobody collected are wiped. */
void aaa_free(struct aaa *a);

/*
 * Judges a credential. Returns NULL and fills reply (and user, NULL when unknown) when the verdict is
 * known at once, else a job that aaa_poll will hand back with owner.
 */
struct aaa_job *aaa_check(struct aaa *a, const struct ppp_auth_request *req, void *owner,
                          struct ppp_auth_reply *reply, const struct cfg_user **user);

/* The owner of a job is gone: its verdict will be thrown away. */
void aaa_abandon(struct aaa *a, struct aaa_job *job);

/* Hands every finished job to done. */
void aaa_poll(struct aaa *a, void (*done)(void *owner, const struct ppp_auth_reply *reply,
                                          const struct cfg_user *user));
