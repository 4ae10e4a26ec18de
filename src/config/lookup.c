/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

static int user_cmp(const void *name, const void *user)
{
	return strcmp(name, ((const struct cfg_user *)user)->name);
}

const struct cfg_user *config_user(const struct config *c, const char *name)
{
	if (c->n_users == 0)
		return NULL;
	return bsearch(name, c->users, c->n_users, sizeof(*c->users), user_cmp);
}

const struct cfg_interface_profile *config_interface_profile(const struct config *c,
                                                             const char *name)
{
	for (uint32_t i = 0; i < c->n_interface_profiles; i++)
		if (strcmp(c->interface_profiles[i].name, name) == 0)
			return &c->interface_profiles[i];
	return NULL;
}

const struct cfg_pool *config_pool(const struct config *c, const char *name)
{
	for (uint32_t i = 0; i < c->n_pools; i++)
		if (strcmp(c->pools[i].name, name) == 0)
			return &c->pools[i];
	return NULL;
}

const struct cfg_ipsec_profile *config_ipsec_profile(const struct config *c, const char *name)
{
	for (uint32_t i = 0; i < c->n_ipsec_profiles; i++)
		if (strcmp(c->ipsec_profiles[i].name, name) == 0)
			return &c->ipsec_profiles[i];
	return NULL;
}
