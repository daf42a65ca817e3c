/* SPDX-License-Identifier: MIT */
/* The functions of plugin.c, which a program finds by dlsym. */
#ifndef TESTS_PRELOAD_PLUGIN_H
#define TESTS_PRELOAD_PLUGIN_H

#include <pthread.h>

/* NULL, or what failed in the plug-in's constructor or now. */
const char *plugin_run(void);

/* The file that the plug-in's pthread_mutex_lock is resolved to. */
const char *plugin_resolved_to(void);

/* The plain calls, made from the plug-in's code. */
void plugin_lock(pthread_mutex_t *m);
void plugin_unlock(pthread_mutex_t *m);
void plugin_signal(pthread_cond_t *c);

#endif
