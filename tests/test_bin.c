/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bin.h: every slot is handed out once, lowest of a subpage on top; what comes back is free again,
 * in whatever order; neighbours cost one lock; an empty subpage leaves its bin; a double free and
 * a pointer that is no slot end the process. The bin is valid after every step. */
#include "bin.h"

#include "os.h"
#include "page_map.h"

#include "dies.h"
#include "random.h"
#include "test.h"

enum { HELD = 6000, STEPS = 400, BATCH = 128 };

static struct arena *arena;

static void *held[HELD];
static unsigned held_count;

static void start(void)
{
    arena = arena_join();
    CU_ASSERT_PTR_NOT_NULL_FATAL(arena);
}

/* Takes up to BATCH slots into held. Returns how many. */
static unsigned refill(unsigned class, unsigned wanted)
{
    void *slots[BATCH];
    unsigned got = bin_refill(arena, class, slots + BATCH, wanted);
    memcpy(held + held_count, slots + BATCH - got, got * sizeof(*slots));
    held_count += got;
    return got;
}

static bool is_valid(unsigned class)
{
    return bin_is_valid(arena, class) && arena_is_valid(arena);
}

static int by_address(const void *left, const void *right)
{
    const char *const *a = left;
    const char *const *b = right;
    return (*a > *b) - (*a < *b);
}

static bool held_are_distinct(unsigned class)
{
    static void *sorted[HELD];
    memcpy(sorted, held, held_count * sizeof(*held));
    qsort(sorted, held_count, sizeof(*sorted), by_address);
    for (unsigned i = 0; i < held_count; i++) {
        void *block = NULL;
        if (page_map_class(sorted[i]) != class || !bin_slot_is_taken(sorted[i], &block) ||
            block != sorted[i] ||
            (i > 0 && (char *)sorted[i - 1] + size_class_bytes(class) > (char *)sorted[i])) {
            return false;
        }
    }
    return true;
}

static void shuffle(struct random *random)
{
    for (unsigned i = held_count; i > 1; i--) {
        unsigned j = random_below(random, i);
        void *kept = held[i - 1];
        held[i - 1] = held[j];
        held[j] = kept;
    }
}

static void random_batches(unsigned class)
{
    struct random random = random_from(class);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned count = random_between(&random, 1, BATCH);
        if (held_count + count <= HELD && random_below(&random, 5) < 3) {
            CU_ASSERT_TRUE_FATAL(refill(class, count) > 0);
        } else if (held_count > 0) {
            count = count < held_count ? count : held_count;
            held_count -= count;
            bin_flush(class, held + held_count, count);
        }
        CU_ASSERT_TRUE_FATAL(is_valid(class));
        if (step % 16 == 0) {
            CU_ASSERT_TRUE_FATAL(held_are_distinct(class));
            shuffle(&random);
        }
    }
    bin_flush(class, held, held_count);
    held_count = 0;
    CU_ASSERT_TRUE(is_valid(class));
    CU_ASSERT_TRUE(list_is_empty(&arena->bins[class].subpages));
    CU_ASSERT_EQUAL(arena->run_count[class], 0);
}

static void slots_come_and_go_in_any_order(void)
{
    static const unsigned classes[] = {1, 3, 32, 33, 45, CLASS_SMALL_LAST};
    start();
    for (unsigned i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        random_batches(classes[i]);
    }
    CU_ASSERT_EQUAL(arena->used_pages, 0);
}

static void the_lowest_slot_is_on_top(void)
{
    start();
    for (unsigned class = 1; class <= CLASS_SMALL_LAST; class ++) {
        unsigned slot_count = size_classes[class].slot_count;
        unsigned wanted = slot_count < BATCH ? slot_count : BATCH;
        held_count = 0;
        CU_ASSERT_EQUAL(refill(class, wanted), wanted);
        for (unsigned i = 1; i < wanted; i++) {
            CU_ASSERT_PTR_EQUAL((char *)held[wanted - 1] + i * size_class_bytes(class),
                                held[wanted - 1 - i]);
        }
        bin_flush(class, held, held_count);
        CU_ASSERT_TRUE(is_valid(class));
    }
}

static void a_flush_of_neighbours_is_one_lock(void)
{
    enum { CLASS = 4 };
    start();
    refill(CLASS, 100);
    uint64_t before = arena->bins[CLASS].flush_count;
    bin_flush(CLASS, held, 100);
    CU_ASSERT_EQUAL(arena->bins[CLASS].flush_count, before + 1);
    CU_ASSERT_EQUAL(arena->bins[CLASS].free_slots, 0);
}

/* Slots of two arenas in one magazine go home each. */
static void slots_go_back_to_their_arena(void)
{
    enum { CLASS = 9 };
    start();
    struct arena *first = arena;
    refill(CLASS, 3);
    arena_limit(); /* looked up before more CPUs are pretended: one arena a CPU */
    struct arena *second = arena_join();
    if (second == first) {
        CU_PASS("one CPU, one arena");
        return;
    }
    arena = second;
    refill(CLASS, 3);
    void *mixed[] = {held[0], held[3], held[1], held[4], held[2], held[5]};
    bin_flush(CLASS, mixed, 6);
    CU_ASSERT_TRUE(bin_is_valid(first, CLASS) && bin_is_valid(second, CLASS));
    CU_ASSERT_EQUAL(first->used_pages + second->used_pages, 0);
}

static void an_empty_subpage_is_released(void)
{
    enum { CLASS = 20 };
    start();
    refill(CLASS, 2);
    char *page = (char *)((uintptr_t)held[0] & ~(uintptr_t)(PAGE_BYTES - 1));
    CU_ASSERT_EQUAL(arena->run_count[CLASS], 1);
    bin_flush(CLASS, held, 1);
    CU_ASSERT_EQUAL(page_map_class(page), CLASS);
    bin_flush(CLASS, held + 1, 1);
    CU_ASSERT_EQUAL(page_map_class(page), CLASS_NONE);
    CU_ASSERT_EQUAL(arena->run_count[CLASS], 0);
    void *block = NULL;
    CU_ASSERT_FALSE(bin_slot_is_taken(held[0], &block));
    CU_ASSERT_TRUE(is_valid(CLASS));
}

static void interior_addresses_have_their_slot(void)
{
    start();
    for (unsigned class = 1; class <= CLASS_SMALL_LAST; class ++) {
        held_count = 0;
        refill(class, 3);
        for (size_t offset = 0; offset < size_class_bytes(class); offset += 7) {
            void *block = NULL;
            CU_ASSERT_TRUE(bin_slot_is_taken((char *)held[0] + offset, &block));
            CU_ASSERT_PTR_EQUAL(block, held[0]);
        }
    }
}

static void free_twice_at_once(void)
{
    void *twice[] = {held[0], held[0]};
    bin_flush(3, twice, 2);
}

static void free_twice_with_others_between(void)
{
    bin_flush(3, held, 2);
    bin_flush(3, held, 1);
}

static void free_twice_and_the_subpage_is_gone(void)
{
    bin_flush(3, held, held_count);
    bin_flush(3, held, 1);
}

static void free_what_was_never_handed_out(void)
{
    void *next = (char *)held[0] + size_class_bytes(3);
    bin_flush(3, &next, 1);
}

static void free_the_middle(void)
{
    void *middle = (char *)held[0] + SLOT_ALIGN_BYTES;
    bin_flush(3, &middle, 1);
}

static void free_past_the_last_slot(void)
{
    char *page = (char *)((uintptr_t)held[0] & ~(uintptr_t)(PAGE_BYTES - 1));
    void *tail = page + (size_t)size_classes[3].slot_count * size_class_bytes(3);
    bin_flush(3, &tail, 1);
}

static void what_is_no_slot_ends_the_process(void)
{
    static const char twice[] = "poolmalloc: fatal: double free: 0x";
    static const char interior[] =
        "poolmalloc: fatal: free of a pointer into the middle of a block: 0x";
    static const char slot[] = ", 48-byte slot";
    start();
    refill(3, 3);
    CU_ASSERT_TRUE(dies_saying(free_twice_at_once, twice, slot));
    CU_ASSERT_TRUE(dies_saying(free_twice_with_others_between, twice, slot));
    CU_ASSERT_TRUE(dies_saying(free_twice_and_the_subpage_is_gone, twice, slot));
    CU_ASSERT_TRUE(dies_saying(free_what_was_never_handed_out, twice, slot));
    CU_ASSERT_TRUE(dies_saying(free_the_middle, interior, slot));
    CU_ASSERT_TRUE(dies_saying(free_past_the_last_slot, interior, slot));
}

/* In a forked child: slots of the forgotten epoch are dropped, new ones come from new subpages. */
static void an_abandoned_bin_starts_a_new_epoch(void)
{
    enum { CLASS = 5 };
    start();
    refill(CLASS, 4);
    atomic_store(&arena->bins[CLASS].lock.word, 77);
    arena_abandon_locks();
    CU_ASSERT_TRUE(list_is_empty(&arena->bins[CLASS].subpages));
    bin_flush(CLASS, held, 4);
    CU_ASSERT_EQUAL(arena->bins[CLASS].free_slots, 0);
    CU_ASSERT_TRUE(is_valid(CLASS));
    unsigned old_count = held_count;
    CU_ASSERT_EQUAL(refill(CLASS, 4), 4);
    for (unsigned i = 0; i < old_count; i++) {
        for (unsigned j = old_count; j < held_count; j++) {
            CU_ASSERT_PTR_NOT_EQUAL(held[i], held[j]);
        }
    }
    bin_flush(CLASS, held + old_count, 4);
    CU_ASSERT_TRUE(is_valid(CLASS));
}

static void no_memory_for_a_subpage(void)
{
    start();
    os_fail_after(0, 100);
    CU_ASSERT_EQUAL(refill(7, 10), 0);
    CU_ASSERT_TRUE(is_valid(7));
    os_fail_after(0, 0);
    CU_ASSERT_TRUE(refill(7, 10) > 0);
}

static const struct test tests[] = {
    {"slots come and go in any order", slots_come_and_go_in_any_order},
    {"the lowest slot is on top", the_lowest_slot_is_on_top},
    {"a flush of neighbours is one lock", a_flush_of_neighbours_is_one_lock},
    {"slots go back to their arena", slots_go_back_to_their_arena},
    {"an empty subpage is released", an_empty_subpage_is_released},
    {"interior addresses have their slot", interior_addresses_have_their_slot},
    {"what is no slot ends the process", what_is_no_slot_ends_the_process},
    {"an abandoned bin starts a new epoch", an_abandoned_bin_starts_a_new_epoch},
    {"no memory for a subpage", no_memory_for_a_subpage},
    {NULL, NULL},
};

int main(void)
{
    return test_main("bin", tests);
}
