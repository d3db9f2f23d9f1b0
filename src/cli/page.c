/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "page.h"

#include "say.h"

#include <errno.h>
#include <string.h>

void page_write(FILE *out, const char *template, page_put put, const void *data)
{
    const char *mark = strstr(template, PAGE_MARK);
    fwrite(template, 1, (size_t)(mark - template), out);
    put(out, data);
    fputs(mark + strlen(PAGE_MARK), out);
}

void page_save(const char *path, const char *template, page_put put, const void *data)
{
    FILE *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (out == NULL) {
        die(EXIT_FAILED, "%s: %s", path, strerror(errno));
    }
    page_write(out, template, put, data);
    if (ferror(out) != 0 || (out == stdout ? fflush(out) : fclose(out)) != 0) {
        die(EXIT_FAILED, "%s: %s", path, strerror(errno));
    }
}

void page_check(const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? NULL : fopen(path, "ae");
    if (file != NULL) {
        fclose(file);
    } else if (strcmp(path, "-") != 0) {
        die(EXIT_FAILED, "%s: %s", path, strerror(errno));
    }
}
