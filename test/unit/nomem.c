/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "nomem.h"
#include "base/slab.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void *__real_slab_get(struct slab *s);
void __real_slab_put(struct slab *s, void *object);
EVP_MD_CTX *__real_EVP_MD_CTX_new(void);
int __real_EVP_DigestInit_ex(EVP_MD_CTX *ctx, const EVP_MD *md, ENGINE *engine);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
void *__wrap_slab_get(struct slab *s);
void __wrap_slab_put(struct slab *s, void *object);
EVP_MD_CTX *__wrap_EVP_MD_CTX_new(void);
int __wrap_EVP_DigestInit_ex(EVP_MD_CTX *ctx, const EVP_MD *md, ENGINE *engine);

static struct nomem_plan plan;
static atomic_bool armed;
static atomic_uint seen, failed;
static atomic_int objects;
static _Thread_local uint32_t depth;

void nomem_arm(struct nomem_plan p)
{
	plan = p;
	atomic_store(&seen, 0);
	atomic_store(&failed, 0);
	atomic_store(&armed, true);
}

void nomem_disarm(void)
{
	atomic_store(&armed, false);
}

uint32_t nomem_failed(void)
{
	return atomic_load(&failed);
}

int nomem_objects(void)
{
	return atomic_load(&objects);
}

void nomem_enter(void)
{
	depth++;
}

void nomem_leave(void)
{
	depth--;
}

uint32_t nomem_outside(void)
{
	uint32_t was = depth;

	depth = 0;
	return was;
}

void nomem_inside(uint32_t was)
{
	depth = was;
}

static bool is_inside(void)
{
	return depth > 0 || gettid() != getpid();
}

static bool fails(void)
{
	uint32_t n;
	bool yes;

	if (!atomic_load(&armed) || !is_inside())
		return false;
	n = atomic_fetch_add(&seen, 1) + 1;
	yes = plan.from != 0 && n >= plan.from &&
	      (plan.every != 0 ? (n - plan.from) % plan.every == 0 : n == plan.from);
	if (!yes)
		return false;
	atomic_fetch_add(&failed, 1);
	errno = ENOMEM;
	return true;
}

static void *got(void *p)
{
	if (p != NULL && is_inside())
		atomic_fetch_add(&objects, 1);
	return p;
}

static void given_back(const void *p)
{
	if (p != NULL && is_inside())
		atomic_fetch_sub(&objects, 1);
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : got(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : got(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t size)
{
	void *q = fails() ? NULL : __real_realloc(p, size);

	return p == NULL ? got(q) : q;
}

void __wrap_free(void *p)
{
	given_back(p);
	__real_free(p);
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : got(__real_strdup(s));
}

char *__wrap_strndup(const char *s, size_t n)
{
	return fails() ? NULL : got(__real_strndup(s, n));
}

void *__wrap_slab_get(struct slab *s)
{
	return fails() ? NULL : got(__real_slab_get(s));
}

void __wrap_slab_put(struct slab *s, void *object)
{
	given_back(object);
	__real_slab_put(s, object);
}

EVP_MD_CTX *__wrap_EVP_MD_CTX_new(void)
{
	return fails() ? NULL : __real_EVP_MD_CTX_new();
}

int __wrap_EVP_DigestInit_ex(EVP_MD_CTX *ctx, const EVP_MD *md, ENGINE *engine)
{
	return fails() ? 0 : __real_EVP_DigestInit_ex(ctx, md, engine);
}
