/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The example server linked with the core's objects, so that the sanitizers see it. */
#include "../examples/frame_server.c" /* NOLINT(bugprone-suspicious-include) */
