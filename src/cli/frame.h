/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What poolmalloc top shows, as lines of text: the terminal and --once print the same frame. */
#ifndef POOLMALLOC_CLI_FRAME_H
#define POOLMALLOC_CLI_FRAME_H

#include "view.h"

enum { FRAME_LINES = 400, FRAME_COLUMNS = 160 };

enum line_kind { LINE_PLAIN, LINE_TITLE, LINE_HEAD, LINE_BAR, LINE_KEY };

struct frame {
    unsigned count;
    struct {
        enum line_kind kind;
        char text[FRAME_COLUMNS];
    } lines[FRAME_LINES];
};

enum top_table { TOP_CLASSES, TOP_ARENAS, TOP_THREADS, TOP_TABLE_COUNT };

/* Two looks at a process, for rates. */
struct top {
    struct view *view;
    struct stats before; /* all 0 at the first look */
    double seconds;      /* between the two; 0: no rates yet */
    enum top_table table;
    unsigned columns; /* of the terminal */
};

/* A bar is a line of letters, one for each part of resident memory; these are the letters. */
#define FRAME_BAR_LETTERS "urcdsfm"

/* Composes the whole frame anew. */
void frame_compose(struct frame *frame, const struct top *top);

#endif
