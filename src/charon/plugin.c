/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 Sallyport contributors */
/*
 * The plugin as charon loads it: with `load_modular = yes` and, among its plugins, a section
 *
 *   sallyport! { load = 10 }
 *
 * it looks for sallyport_plugin_create. 10 is more than kernel-netlink has, which else takes IPsec. The
 * mark makes charon end when the plugin refuses to load: without it, SAs would silently go to the
 * kernel. Settings stand in a section `sallyport`, which then has no load:
 *
 *   socket  where the daemon listens (/run/sallyport/ike.sock)
 *   ack_ms  how long an answer may take (1000)
 */
#include "charon/abi.h"
#include "charon/sallyport.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SOCKET_PATH "/run/sallyport/ike.sock"
#define ACK_MS      1000

/* Under this name the instance is found by the constructor, which charon calls without one. */
#define REGISTRY_NAME "sallyport"

/* The only symbol that charon looks for. */
__attribute__((visibility("default"))) plugin_t *sallyport_plugin_create(void);

static const struct link_ops link_ops = {.sync = sync_link, .order = carry_out_order};

static kernel_ipsec_t *ipsec_create(void)
{
	struct sallyport *s = lib->get(lib, REGISTRY_NAME);

	return &s->ipsec;
}

/* Feature kernel-ipsec: first come, first served, which is what load = 10 is for. */
static bool offer_ipsec(plugin_t *plugin, plugin_feature_t *feature, bool reg, void *data)
{
	struct sallyport *s = (struct sallyport *)plugin;

	if (!reg) {
		charon->bus->remove_listener(charon->bus, &s->listener);
		charon->kernel->remove_ipsec_interface(charon->kernel, ipsec_create);
		return TRUE;
	}
	if (!charon->kernel->add_ipsec_interface(charon->kernel, ipsec_create)) {
		DBG1(DBG_LIB, "sallyport: another plugin has taken IPsec; set load = 10 or more");
		return FALSE;
	}
	charon->bus->add_listener(charon->bus, &s->listener);
	link_start(s->link);
	return TRUE;
}

static char *get_name(plugin_t *plugin)
{
	return "sallyport";
}

static int get_features(plugin_t *plugin, plugin_feature_t *features[])
{
	struct sallyport *s = (struct sallyport *)plugin;

	*features = s->features;
	return countof(s->features);
}

static void destroy(plugin_t *plugin)
{
	struct sallyport *s = (struct sallyport *)plugin;

	lib->set(lib, REGISTRY_NAME, NULL);
	link_destroy(s->link);
	table_destroy(s->table);
	free(s);
}

/* Loaded by LD_PRELOAD, it must not be so into what charon runs: there nothing resolves its symbols. */
static void end_preload(void)
{
	const char *p = getenv("LD_PRELOAD");

	if (p != NULL && strstr(p, "libstrongswan-sallyport.so") != NULL)
		unsetenv("LD_PRELOAD");
}

/* NULL when the settings do not serve. */
static struct link *create_link(struct sallyport *s)
{
	const char *path = lib->settings->get_str(lib->settings, "%s.plugins.sallyport.socket",
	                                          SOCKET_PATH, lib->ns);
	int ms = lib->settings->get_int(lib->settings, "%s.plugins.sallyport.ack_ms", ACK_MS,
	                                lib->ns);
	struct link *l = ms > 0 ? link_create(&link_ops, s, path, (unsigned int)ms) : NULL;

	if (l == NULL)
		DBG1(DBG_LIB,
		     "sallyport: ack_ms = %d is not more than 0, or the path of socket, '%s', "
		     "is too long",
		     ms, path);
	return l;
}

plugin_t *sallyport_plugin_create(void)
{
	struct sallyport *s;

	if (!abi_check())
		return NULL;
	end_preload();
	INIT(s, .plugin = {.get_name = get_name, .get_features = get_features, .destroy = destroy},
	     .features = {PLUGIN_CALLBACK(offer_ipsec, NULL),
	                  PLUGIN_PROVIDE(CUSTOM, "kernel-ipsec")});
	s->link = create_link(s);
	if (s->link == NULL ||
	    getrandom(&s->instance, sizeof(s->instance), 0) != sizeof(s->instance)) {
		if (s->link != NULL)
			link_destroy(s->link);
		free(s);
		return NULL;
	}
	s->table = table_create();
	ipsec_init(s);
	bus_init(s);
	lib->set(lib, REGISTRY_NAME, s);
	return &s->plugin;
}
