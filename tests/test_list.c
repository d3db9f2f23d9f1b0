/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list.h: order of insertion, removal anywhere, and the entry around a node. Both directions always
 * tell the same. */
#include "list.h"

#include "test.h"

enum { COUNT = 5 };

struct item {
    int number;
    struct list link;
};

/* The numbers in the list as digits, forwards; -1 if backwards says otherwise. */
static int digits(struct list *head)
{
    int forwards = 0;
    int backwards = 0;
    int scale = 1;
    for (struct list *node = head->next; node != head; node = node->next) {
        forwards = forwards * 10 + list_entry(node, struct item, link)->number;
    }
    for (struct list *node = head->prev; node != head; node = node->prev) {
        backwards += scale * list_entry(node, struct item, link)->number;
        scale *= 10;
    }
    return forwards == backwards ? forwards : -1;
}

static void insert_and_remove(void)
{
    struct list head;
    struct item items[COUNT + 1];
    list_init(&head);
    CU_ASSERT_TRUE(list_is_empty(&head));
    for (int i = 1; i <= COUNT; i++) {
        items[i].number = i;
        list_insert_after(&head, &items[i].link);
    }
    CU_ASSERT_FALSE(list_is_empty(&head));
    CU_ASSERT_EQUAL(digits(&head), 54321);
    list_remove(&items[3].link);
    CU_ASSERT_EQUAL(digits(&head), 5421);
    list_insert_after(&items[1].link, &items[3].link);
    CU_ASSERT_EQUAL(digits(&head), 54213);
    list_remove(&items[5].link);
    list_remove(&items[3].link);
    CU_ASSERT_EQUAL(digits(&head), 421);
    list_remove(&items[4].link);
    list_remove(&items[2].link);
    list_remove(&items[1].link);
    CU_ASSERT_TRUE(list_is_empty(&head));
    CU_ASSERT_PTR_EQUAL(head.prev, &head);
}

static const struct test tests[] = {
    {"insert and remove anywhere", insert_and_remove},
    {NULL, NULL},
};

int main(void)
{
    return test_main("list", tests);
}
