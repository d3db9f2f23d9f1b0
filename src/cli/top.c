/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolmalloc top: a process's allocator, live in a terminal. */
#include "commands.h"

#include "frame.h"
#include "say.h"

#include <getopt.h>
#include <locale.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
    "usage: poolmalloc top [OPTION]... PID\n"
    "Shows the allocator of a running process, live.\n\n"
    "  -d, --delay=SECONDS       between two looks (1)\n"
    "  -t, --table=TABLE         begin with classes, arenas or threads\n"
    "      --once                print one frame, with rates over one delay, and end\n\n"
    "Keys: c classes, a arenas, t threads, arrows and page keys scroll, + - delay, q quits.\n";

static const struct option options[] = {
    {"delay", required_argument, NULL, 'd'},
    {"table", required_argument, NULL, 't'},
    {"once", no_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

enum { ONCE_COLUMNS = 110, PAIR_BAR = 1, PAIR_TITLE = 20 };
static const double delay_least = 0.1;
static const double delay_most = 60;

struct screen {
    struct top top;
    struct frame frame;
    double delay;
    double looked; /* when the statistics were collected */
    unsigned scroll;
    bool is_once;
};

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* false: the process has ended. */
static bool look(struct screen *screen)
{
    double now = now_seconds();
    screen->top.before = screen->top.view->stats;
    screen->top.seconds = screen->looked > 0 ? now - screen->looked : 0;
    screen->looked = now;
    return view_update(screen->top.view);
}

/* ---- Once -------------------------------------------------------------------------------- */

static int show_once(struct screen *screen)
{
    look(screen);
    usleep((useconds_t)(screen->delay * 1e6));
    if (!look(screen)) {
        die(EXIT_FAILED, "top: process %d has ended", (int)screen->top.view->process.pid);
    }
    screen->top.columns = ONCE_COLUMNS;
    frame_compose(&screen->frame, &screen->top);
    for (unsigned i = 0; i < screen->frame.count; i++) {
        puts(screen->frame.lines[i].text);
    }
    return EXIT_SUCCESS;
}

/* ---- In a terminal ----------------------------------------------------------------------- */

static void begin_terminal(void)
{
    static const short colours[] = {COLOR_BLUE,   COLOR_MAGENTA, COLOR_CYAN, COLOR_GREEN,
                                    COLOR_YELLOW, COLOR_WHITE,   COLOR_RED};
    setlocale(LC_ALL, "");
    if (!isatty(STDOUT_FILENO) || newterm(NULL, stdout, stdin) == NULL) {
        die(EXIT_FAILED, "top: this is no terminal, try --once");
    }
    cbreak();
    noecho();
    curs_set(0);
    keypad(stdscr, TRUE);
    if (has_colors()) {
        start_color();
        use_default_colors();
        for (short i = 0; i < (short)strlen(FRAME_BAR_LETTERS); i++) {
            init_pair((short)(PAIR_BAR + i), COLOR_BLACK, colours[i]);
        }
        init_pair((short)PAIR_TITLE, COLOR_BLACK, COLOR_CYAN);
    }
}

static chtype attributes_of(char letter)
{
    const char *found = strchr(FRAME_BAR_LETTERS, letter);
    return found == NULL || letter == '\0' || !has_colors()
               ? 0
               : COLOR_PAIR((short)(PAIR_BAR + (found - FRAME_BAR_LETTERS)));
}

/* Bars in colours; in a key, the letter of each part in its colour. */
static void draw_letters(int row, const char *text, bool is_key)
{
    for (int column = 0; column < COLS && text[column] != '\0'; column++) {
        bool is_alone = (column == 0 || text[column - 1] == ' ') && text[column + 1] == ' ';
        bool is_marked = !is_key || is_alone;
        mvaddch(row, column,
                (chtype)(unsigned char)text[column] |
                    (is_marked ? attributes_of(text[column]) : 0));
    }
}

static void draw_line(int row, enum line_kind kind, const char *text)
{
    switch (kind) {
    case LINE_BAR:
    case LINE_KEY:
        draw_letters(row, text, kind == LINE_KEY);
        return;
    case LINE_TITLE:
        attron(has_colors() ? COLOR_PAIR(PAIR_TITLE) : A_REVERSE);
        mvprintw(row, 0, "%-*.*s", COLS, COLS, text);
        attroff(has_colors() ? COLOR_PAIR(PAIR_TITLE) : A_REVERSE);
        return;
    case LINE_HEAD:
        attron(A_BOLD | A_UNDERLINE);
        mvaddnstr(row, 0, text, COLS);
        attroff(A_BOLD | A_UNDERLINE);
        return;
    default:
        mvaddnstr(row, 0, text, COLS);
    }
}

/* The lines up to the table's head stay, those below scroll. */
static void draw(struct screen *screen)
{
    const struct frame *frame = &screen->frame;
    unsigned head = 0;
    screen->top.columns = (unsigned)COLS;
    frame_compose(&screen->frame, &screen->top);
    while (head < frame->count && frame->lines[head].kind != LINE_HEAD) {
        head++;
    }
    unsigned below = frame->count > head + 1 ? frame->count - head - 1 : 0;
    screen->scroll = screen->scroll < below ? screen->scroll : (below > 0 ? below - 1 : 0);
    erase();
    for (unsigned row = 0; row + 1 < (unsigned)LINES; row++) {
        unsigned line = row <= head ? row : row + screen->scroll;
        if (line < frame->count) {
            draw_line((int)row, frame->lines[line].kind, frame->lines[line].text);
        }
    }
    attron(A_DIM);
    mvprintw(LINES - 1, 0, "%.*s", COLS - 1,
             " c classes  a arenas  t threads  arrows scroll  + - delay  q quit");
    attroff(A_DIM);
    refresh();
}

static void scroll_by(struct screen *screen, int lines)
{
    int to = (int)screen->scroll + lines;
    screen->scroll = to < 0 ? 0 : (unsigned)to;
}

static void choose_table(struct screen *screen, enum top_table table)
{
    screen->top.table = table;
    screen->scroll = 0;
}

static void change_delay(struct screen *screen, double factor)
{
    screen->delay *= factor;
    screen->delay = screen->delay < delay_least ? delay_least : screen->delay;
    screen->delay = screen->delay > delay_most ? delay_most : screen->delay;
}

/* false: quit. */
static bool handle_key(struct screen *screen, int key)
{
    switch (key) {
    case 'q':
    case 'Q':
        return false;
    case 'c':
        choose_table(screen, TOP_CLASSES);
        break;
    case 'a':
        choose_table(screen, TOP_ARENAS);
        break;
    case 't':
        choose_table(screen, TOP_THREADS);
        break;
    case KEY_DOWN:
        scroll_by(screen, 1);
        break;
    case KEY_UP:
        scroll_by(screen, -1);
        break;
    case KEY_NPAGE:
        scroll_by(screen, LINES / 2);
        break;
    case KEY_PPAGE:
        scroll_by(screen, -LINES / 2);
        break;
    case '+':
        change_delay(screen, 2);
        break;
    case '-':
        change_delay(screen, 0.5);
        break;
    default:
        break;
    }
    return true;
}

/* Returns when the user quits or, false, when the process has ended. */
static bool show_live(struct screen *screen)
{
    for (bool is_alive = look(screen); is_alive; is_alive = look(screen)) {
        draw(screen);
        double left = screen->delay;
        while (left > 0) {
            timeout((int)(left * 1000) + 1);
            int key = getch();
            if (key != ERR && !handle_key(screen, key)) {
                return true;
            }
            if (key != ERR) {
                draw(screen);
            }
            left = screen->looked + screen->delay - now_seconds();
        }
    }
    return false;
}

static enum top_table table_named(const char *name)
{
    static const char *const names[TOP_TABLE_COUNT] = {"classes", "arenas", "threads"};
    for (unsigned i = 0; i < TOP_TABLE_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            return (enum top_table)i;
        }
    }
    die(EXIT_USAGE, "top: no table \"%s\"", name);
}

static void parse_options(struct screen *screen, int argc, char **argv)
{
    int option;
    while ((option = getopt_long(argc, argv, "d:t:h", options, NULL)) != -1) {
        switch (option) {
        case 'd':
            screen->delay = strtod(optarg, NULL);
            break;
        case 't':
            screen->top.table = table_named(optarg);
            break;
        case 'o':
            screen->is_once = true;
            break;
        case 'h':
            fputs(help, stdout);
            exit(EXIT_SUCCESS);
        default:
            die(EXIT_USAGE, "try 'poolmalloc top --help'");
        }
    }
    if (optind + 1 != argc) {
        die(EXIT_USAGE, "usage: poolmalloc top [OPTION]... PID");
    }
    if (!(screen->delay >= delay_least && screen->delay <= delay_most)) {
        die(EXIT_USAGE, "top: --delay is %.1f to %.0f seconds", delay_least, delay_most);
    }
}

int command_top(int argc, char **argv)
{
    static struct view view;
    static struct screen screen = {.top = {.view = &view}, .delay = 1};
    parse_options(&screen, argc, argv);
    view_open(&view, "top", argv[optind]);
    if (screen.is_once) {
        return show_once(&screen);
    }
    begin_terminal();
    bool is_alive = show_live(&screen);
    endwin();
    if (!is_alive) {
        say("top: process %d (%s) has ended", (int)view.process.pid, view.process.name);
    }
    return EXIT_SUCCESS;
}
