/* SPDX-License-Identifier: MIT */
/* The version of the fastsync headers, and a call for that of the library in use.
   Example:
       #if FASTSYNC_VERSION_NUMBER < 100
       #error "fastsync 0.1.0 or later is needed"
       #endif
       printf("headers %s, library %s\n", FASTSYNC_VERSION, fastsync_version()); */
#ifndef FASTSYNC_VERSION_H
#define FASTSYNC_VERSION_H

#define FASTSYNC_VERSION_MAJOR 0
#define FASTSYNC_VERSION_MINOR 1
#define FASTSYNC_VERSION_PATCH 0
#define FASTSYNC_VERSION "0.1.0"

/* One number that grows with the version: two decimal digits for each part. */
#define FASTSYNC_VERSION_NUMBER                                                                    \
    (FASTSYNC_VERSION_MAJOR * 10000 + FASTSYNC_VERSION_MINOR * 100 + FASTSYNC_VERSION_PATCH)

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library in use, such as "0.1.0".
   Returns: a string that is never freed. Blocks: no. Async-signal-safe: yes. */
const char *fastsync_version(void);

#ifdef __cplusplus
}
#endif

#endif
