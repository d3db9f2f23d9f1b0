/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replays inputs through a fuzz target without a fuzzer: every file of tests/fuzz/corpus/TARGET, or
 * the files given as arguments. TARGET is the program's own name. */
#include <errno.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

/* Longer inputs are cut, as libFuzzer's -max_len does. */
static uint8_t input[1 << 16];

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    size_t input_bytes = fread(input, 1, sizeof input, file);
    fclose(file);
    LLVMFuzzerTestOneInput(input, input_bytes);
}

/* Replays the target's kept corpus. Returns how many inputs it holds. */
static size_t replay_corpus(const char *target)
{
    char pattern[4096];
    glob_t found;

    snprintf(pattern, sizeof pattern, "tests/fuzz/corpus/%s/*", target);
    if (glob(pattern, 0, NULL, &found) != 0) {
        return 0;
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        replay_file(found.gl_pathv[i]);
    }
    size_t input_count = found.gl_pathc;
    globfree(&found);
    return input_count;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        replay_file(argv[i]);
    }
    size_t input_count = argc > 1 ? (size_t)argc - 1 : replay_corpus(program_invocation_short_name);
    printf("%zu inputs\n", input_count);
    return input_count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
