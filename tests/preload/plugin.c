/* SPDX-License-Identifier: MIT */
/* A plug-in for dlopen: the snippet, and where its calls go. */
#include "plugin.h"

#include "snippet.h"

static const char *constructor_failure;

__attribute__((constructor)) static void run_in_constructor(void)
{
    constructor_failure = snippet_run(SNIPPET_ALL);
}

const char *plugin_run(void)
{
    return constructor_failure ? constructor_failure : snippet_run(SNIPPET_ALL);
}

const char *plugin_resolved_to(void)
{
    return snippet_resolved_to();
}

void plugin_lock(pthread_mutex_t *m)
{
    pthread_mutex_lock(m);
}

void plugin_unlock(pthread_mutex_t *m)
{
    pthread_mutex_unlock(m);
}

void plugin_signal(pthread_cond_t *c)
{
    pthread_cond_signal(c);
}
