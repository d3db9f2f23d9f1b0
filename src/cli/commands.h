/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One function per command: argv[0] is the command's name. Returns the exit status. */
#ifndef POOLMALLOC_CLI_COMMANDS_H
#define POOLMALLOC_CLI_COMMANDS_H

int command_run(int argc, char **argv);
int command_compare(int argc, char **argv);
int command_stats(int argc, char **argv);
int command_top(int argc, char **argv);
int command_map(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_trim(int argc, char **argv);

#endif
