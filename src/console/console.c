/* SPDX-License-Identifier: BSD-3-Clause */
/* Copyright (c) 2026 Sallyport contributors */
#include "console/console.h"
#include "console/commands.h"
#include "console/server.h"

#include <errno.h>
#include <stdlib.h>

struct console {
	struct console_env env;
	struct server *server;
};

struct console *console_new(struct event_base *base, const struct config *conf, struct ctl *ctl,
                            struct dp *dp, struct ports *ports, struct log *log)
{
	struct console *c = calloc(1, sizeof(*c));
	int err;

	if (!c) {
		log_error(log, "event=console-failed error=\"out of memory\"");
		return NULL;
	}
	c->env = (struct console_env){
	        .conf = conf,
	        .ctl = ctl,
	        .dp = dp,
	        .ports = ports,
	        .started_ms = console_now_ms(),
	};
	c->server = server_new(base, &conf->console, conf->system.host_name, log, &console_root,
	                       &c->env);
	if (!c->server) {
		err = errno;
		free(c);
		errno = err;
		return NULL;
	}
	return c;
}

void console_free(struct console *c)
{
	if (!c)
		return;
	server_free(c->server);
	free(c);
}
