/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* chunk.h, invariants 1 to 4 after every step, and against three arrays of bools (in use, dirty,
 * aged), with OS pages of 4, 16 and 64 KiB: runs know how many of their pages are clean, spans to
 * purge are whole OS pages, free and partly aged, and no other page changes. */
#include "chunk.h"

#include "os.h"
#include "page_map.h"

#include "address_space.h"
#include "random.h"
#include "test.h"

enum { STEPS = 4000, RUNS = 200 };

struct model {
    bool used[CHUNK_PAGES];
    bool dirty[CHUNK_PAGES];
    bool aged[CHUNK_PAGES];
    struct page *runs[RUNS];
    unsigned run_count;
    struct page_span span; /* being purged; first == end: none */
};

static struct model model;
static struct chunk *chunk;

static void start(size_t os_page_size)
{
    os_pretend_page_bytes(os_page_size);
    memset(&model, 0, sizeof(model));
    chunk = chunk_create(NULL, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(chunk);
}

static bool agrees(void)
{
    for (unsigned page = 0; page < CHUNK_PAGES; page++) {
        if (bitmap_test(chunk->in_use, page) != model.used[page] ||
            bitmap_test(chunk->dirty, page) != model.dirty[page] ||
            bitmap_test(chunk->aged, page) != model.aged[page]) {
            return false;
        }
    }
    return chunk_is_valid(chunk);
}

static void model_take(unsigned first, unsigned end)
{
    memset(model.used + first, true, end - first);
    memset(model.dirty + first, true, end - first);
    memset(model.aged + first, false, end - first);
}

static void model_give(unsigned first, unsigned end)
{
    memset(model.used + first, false, end - first);
}

static unsigned count_in(const bool *pages, unsigned first, unsigned end)
{
    unsigned count = 0;
    for (unsigned page = first; page < end; page++) {
        count += pages[page];
    }
    return count;
}

/* What is left of the pages made resident ahead of use counts as dirty from now on. */
static void model_drop_ahead(void)
{
    for (unsigned page = chunk->ahead_first; page < chunk->ahead_end; page++) {
        model.dirty[page] |= !model.used[page];
    }
}

static bool wants_new_stretch(unsigned first)
{
    unsigned stretch_pages = chunk->ahead_end - chunk->ahead_first;
    unsigned used_pages = count_in(model.used, chunk->ahead_first, chunk->ahead_end);
    bool is_inside = first > chunk->ahead_first && first <= chunk->ahead_end;
    return !is_inside && stretch_pages - used_pages <= stretch_pages / 4;
}

/* The stretch lies behind the run and ends at the first page in use or dirty. */
static void step_claim_ahead(struct random *random)
{
    struct page *page = model.runs[random_below(random, model.run_count)];
    unsigned first = page_index(chunk, page) + page->run_pages;
    unsigned wanted = random_between(random, 1, 64);
    unsigned end = first;
    if (wants_new_stretch(first)) {
        model_drop_ahead();
        while (end < CHUNK_PAGES && end - first < wanted && !model.used[end] && !model.dirty[end]) {
            end++;
        }
    }
    CU_ASSERT_EQUAL_FATAL(chunk_claim_ahead(page, wanted), end - first);
    CU_ASSERT_TRUE(end == first || (chunk->ahead_first == first && chunk->ahead_end == end));
}

static unsigned model_find_gap(unsigned pages)
{
    unsigned free_pages = 0;
    for (unsigned page = 0; page < CHUNK_PAGES; page++) {
        free_pages = model.used[page] ? 0 : free_pages + 1;
        if (free_pages == pages) {
            return page + 1 - pages;
        }
    }
    return CHUNK_PAGES;
}

static void step_alloc(struct random *random)
{
    unsigned pages = random_between(random, 1, random_below(random, 8) == 0 ? 300 : 20);
    unsigned order = log2_ceil(pages) + random_below(random, 2);
    bool is_in_gap = random_below(random, 2) == 0;
    unsigned gap = model_find_gap(pages);
    struct chunk_run run =
        is_in_gap ? chunk_alloc_in_gap(chunk, pages) : chunk_alloc_run(chunk, pages, order);
    CU_ASSERT_TRUE(!is_in_gap || (run.page == NULL) == (gap == CHUNK_PAGES));
    if (run.page == NULL) {
        return;
    }
    unsigned first = page_index(chunk, run.page);
    CU_ASSERT_EQUAL(count_in(model.used, first, first + pages), 0);
    CU_ASSERT_EQUAL(run.clean_pages, pages - count_in(model.dirty, first, first + pages));
    CU_ASSERT_TRUE(is_in_gap ? first == gap : first % (1U << order) == 0);
    CU_ASSERT_EQUAL(run.page->run_pages, pages);
    CU_ASSERT_PTR_EQUAL(page_start(run.page), chunk->base + (size_t)first * PAGE_BYTES);
    CU_ASSERT_PTR_EQUAL(chunk_page(chunk, page_start(run.page) + PAGE_BYTES - 1), run.page);
    run.page->state = PAGE_RUN;
    model_take(first, first + pages);
    model.runs[model.run_count++] = run.page;
}

static void step_free(struct random *random)
{
    unsigned i = random_below(random, model.run_count);
    unsigned first = page_index(chunk, model.runs[i]);
    model_give(first, first + model.runs[i]->run_pages);
    chunk_free_run(model.runs[i], false);
    model.runs[i] = model.runs[--model.run_count];
}

static void step_resize(struct random *random)
{
    struct page *page = model.runs[random_below(random, model.run_count)];
    unsigned first = page_index(chunk, page);
    unsigned end = first + page->run_pages;
    unsigned new_end = first + random_between(random, 1, 2U * page->run_pages);
    if (new_end <= end) {
        chunk_shrink_run(page, new_end - first);
        model_give(new_end, end);
        return;
    }
    bool fits = new_end <= CHUNK_PAGES && count_in(model.used, end, new_end) == 0;
    CU_ASSERT_EQUAL(chunk_extend_run(page, new_end - first), fits);
    if (fits) {
        model_take(end, new_end);
    }
}

static void step_reserve(struct random *random)
{
    unsigned os_pages = (unsigned)(os_page_bytes() / PAGE_BYTES);
    struct page_span span = chunk_reserve_span(chunk, random_below(random, CHUNK_PAGES));
    if (span.first < span.end) {
        CU_ASSERT_TRUE(span.end <= CHUNK_PAGES);
        CU_ASSERT_TRUE(os_pages == 0 || (span.first % os_pages == 0 && span.end % os_pages == 0));
        CU_ASSERT_EQUAL(count_in(model.used, span.first, span.end), 0);
        CU_ASSERT_NOT_EQUAL(count_in(model.aged, span.first, span.end), 0);
        model_take(span.first, span.end);
        model.span = span;
    }
}

static void step_release(struct random *random)
{
    bool is_purged = random_below(random, 4) != 0;
    chunk_release_span(chunk, model.span, is_purged);
    model_give(model.span.first, model.span.end);
    if (is_purged) {
        memset(model.dirty + model.span.first, false, model.span.end - model.span.first);
    }
    model.span = (struct page_span){0, 0};
}

static void step_age(struct random *random)
{
    if (random_below(random, 2) == 0) {
        model_drop_ahead();
        chunk_drop_ahead(chunk);
    }
    chunk_age(chunk);
    for (unsigned page = 0; page < CHUNK_PAGES; page++) {
        model.aged[page] = model.dirty[page] && !model.used[page];
    }
}

static void step(struct random *random)
{
    unsigned choice = random_below(random, 16);
    if (choice == 0) {
        step_age(random);
    } else if (choice <= 2) {
        model.span.first < model.span.end ? step_release(random) : step_reserve(random);
    } else if (model.run_count == RUNS || (choice <= 7 && model.run_count > 0)) {
        step_free(random);
    } else if (choice == 8 && model.run_count > 0) {
        step_resize(random);
    } else if (choice == 9 && model.run_count > 0) {
        step_claim_ahead(random);
    } else {
        step_alloc(random);
    }
}

static void random_steps(size_t os_page_size)
{
    struct random random = random_from(os_page_size);
    start(os_page_size);
    for (unsigned i = 0; i < STEPS; i++) {
        step(&random);
        CU_ASSERT_TRUE_FATAL(agrees());
    }
    if (model.span.first < model.span.end) {
        step_release(&random);
    }
    while (model.run_count > 0) {
        step_free(&random);
    }
    CU_ASSERT_TRUE(agrees());
    CU_ASSERT_EQUAL(chunk->used_pages, 0);
    CU_ASSERT_EQUAL(chunk->tree[BUDDY_ROOT], 0);
    chunk_destroy(chunk);
}

static void random_steps_with_4_kib_pages(void)
{
    random_steps(4 << 10);
}

static void random_steps_with_16_kib_pages(void)
{
    random_steps(16 << 10);
}

static void random_steps_with_64_kib_pages(void)
{
    random_steps(64 << 10);
}

/* Pages 0, 3 and 5 .. 7 are free and aged; with OS pages of two, only 6 and 7 are one whole. */
static void spans_are_cut_to_whole_os_pages(void)
{
    start(16 << 10);
    struct page *pages[9];
    for (unsigned i = 0; i < 9; i++) {
        pages[i] = chunk_alloc_run(chunk, 1, 0).page;
    }
    static const unsigned freed[] = {0, 3, 5, 6, 7};
    for (unsigned i = 0; i < 5; i++) {
        chunk_free_run(pages[freed[i]], false);
    }
    chunk_age(chunk);
    struct page_span span = chunk_reserve_span(chunk, 0);
    CU_ASSERT_EQUAL(span.first, 6);
    CU_ASSERT_EQUAL(span.end, 8);
    span = chunk_reserve_span(chunk, span.end);
    CU_ASSERT_EQUAL(span.first, span.end);
}

/* An aged page whose OS page is otherwise free, though never written, takes it along. */
static void spans_widen_over_free_neighbours(void)
{
    start(64 << 10);
    chunk_free_run(chunk_alloc_run(chunk, 1, 0).page, false);
    chunk_age(chunk);
    struct page_span span = chunk_reserve_span(chunk, 0);
    CU_ASSERT_EQUAL(span.first, 0);
    CU_ASSERT_EQUAL(span.end, 8);
}

static void a_chunk_comes_and_goes(void)
{
    start(0);
    char *base = chunk->base;
    CU_ASSERT_EQUAL((uintptr_t)base % CHUNK_BYTES, 0);
    CU_ASSERT_PTR_EQUAL(page_map_chunk(base + CHUNK_BYTES - 1), chunk);
    CU_ASSERT_PTR_NOT_EQUAL(page_map_chunk(base + CHUNK_BYTES), chunk);
    chunk_free_run(chunk_alloc_run(chunk, 1, 0).page, false);
    chunk_destroy(chunk);
    CU_ASSERT_PTR_NULL(page_map_chunk(base));
    struct chunk *again = chunk_create(NULL, base);
    CU_ASSERT_PTR_EQUAL(again, chunk);
    CU_ASSERT_PTR_EQUAL(again->base, base);
    CU_ASSERT_TRUE(chunk_is_valid(again));
    CU_ASSERT_EQUAL(chunk_alloc_run(again, CHUNK_PAGES, CHUNK_ORDER).clean_pages, CHUNK_PAGES);
}

/* Whichever call fails, no more than metadata stays behind; a chunk is far larger. */
static void no_memory_for_a_chunk(void)
{
    unsigned long chunk_os_pages = CHUNK_BYTES / os_page_bytes();
    unsigned long before = mapped_os_pages();
    struct chunk *made = NULL;
    for (unsigned calls = 0; made == NULL; calls++) {
        os_fail_after(calls, 1);
        made = chunk_create(NULL, NULL);
        CU_ASSERT_TRUE(made != NULL || mapped_os_pages() < before + chunk_os_pages);
        CU_ASSERT_TRUE_FATAL(calls < 10);
    }
    os_fail_after(0, 0);
    CU_ASSERT_TRUE(chunk_is_valid(made));
    CU_ASSERT_PTR_EQUAL(page_map_chunk(made->base), made);
}

/* Does the mapping that holds an address refuse huge pages? */
static bool refuses_huge_pages(const void *address)
{
    FILE *smaps = fopen("/proc/self/smaps", "r");
    char line[512];
    bool is_inside = false;
    bool refuses = false;
    CU_ASSERT_PTR_NOT_NULL_FATAL(smaps);
    while (fgets(line, sizeof(line), smaps) != NULL) {
        char *dash;
        uintptr_t first = strtoul(line, &dash, 16);
        if (*dash == '-') {
            is_inside =
                first <= (uintptr_t)address && (uintptr_t)address < strtoul(dash + 1, NULL, 16);
        } else if (is_inside && strncmp(line, "VmFlags:", strlen("VmFlags:")) == 0) {
            refuses = strstr(line, " nh") != NULL;
        }
    }
    fclose(smaps);
    return refuses;
}

static void only_small_heaps_refuse_huge_pages(void)
{
    enum { SMALL = 4 };
    char *probe = os_map(PAGE_BYTES, PAGE_BYTES, NULL, "test");
    CU_ASSERT_PTR_NOT_NULL_FATAL(probe);
    os_refuse_huge_pages(probe, PAGE_BYTES);
    bool is_shown = refuses_huge_pages(probe); /* not by an emulator, nor a kernel without them */
    start(0);
    CU_ASSERT_EQUAL(refuses_huge_pages(chunk->base), is_shown);
    CU_ASSERT_EQUAL(refuses_huge_pages(chunk), is_shown);
    for (unsigned i = 0; i < SMALL; i++) {
        start(0);
    }
    CU_ASSERT_FALSE(refuses_huge_pages(chunk->base));
}

static void the_validator_sees_damage(void)
{
    start(0);
    struct page *page = chunk_alloc_run(chunk, 3, 2).page;
    page->state = PAGE_RUN;
    CU_ASSERT_TRUE(chunk_is_valid(chunk));
    bitmap_set(chunk->aged, 1, 2);
    CU_ASSERT_FALSE(chunk_is_valid(chunk)); /* 2: aged in use */
    bitmap_clear(chunk->aged, 1, 2);
    bitmap_set(chunk->aged, 9, 10);
    CU_ASSERT_FALSE(chunk_is_valid(chunk)); /* 2: aged, not dirty */
    bitmap_clear(chunk->aged, 9, 10);
    chunk->used_pages++;
    CU_ASSERT_FALSE(chunk_is_valid(chunk)); /* 1: the count */
    bitmap_set(chunk->in_use, 40, 41);
    CU_ASSERT_FALSE(chunk_is_valid(chunk)); /* 1: the tree */
    bitmap_clear(chunk->in_use, 40, 41);
    chunk->used_pages--;
    chunk->dirty_pages++;
    CU_ASSERT_FALSE(chunk_is_valid(chunk)); /* 3 */
    chunk->dirty_pages--;
    page->run_pages = 4;
    CU_ASSERT_FALSE(chunk_is_valid(chunk)); /* 4 */
}

static const struct test tests[] = {
    {"random steps, OS pages of 4 KiB", random_steps_with_4_kib_pages},
    {"random steps, OS pages of 16 KiB", random_steps_with_16_kib_pages},
    {"random steps, OS pages of 64 KiB", random_steps_with_64_kib_pages},
    {"spans are cut to whole OS pages", spans_are_cut_to_whole_os_pages},
    {"spans widen over free neighbours", spans_widen_over_free_neighbours},
    {"a chunk comes and goes", a_chunk_comes_and_goes},
    {"no memory for a chunk", no_memory_for_a_chunk},
    {"only small heaps refuse huge pages", only_small_heaps_refuse_huge_pages},
    {"the validator sees damage", the_validator_sees_damage},
    {NULL, NULL},
};

int main(void)
{
    return test_main("chunk", tests);
}
