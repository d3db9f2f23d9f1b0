/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Do blocks allocated together lie together?
 * Binary trees of DEPTH are built, walked several times and torn down while one long-lived tree
 * stays, as in compilers and interpreters; the walks pay for a scattered layout.
 * Operation: one node, allocated, visited WALKS times, freed.
 */
#include "bench.h"

static const char usage[] = "usage: trees DEPTH NODES";

enum { WALKS = 4 };

struct node {
    struct node *left, *right;
    uint64_t payload;
};

static struct node *build(unsigned depth)
{
    struct node *node = must_malloc(sizeof *node);
    *node = (struct node){.payload = depth};
    if (depth > 0) {
        node->left = build(depth - 1);
        node->right = build(depth - 1);
    }
    return node;
}

static uint64_t sum(const struct node *node)
{
    return node ? node->payload + sum(node->left) + sum(node->right) : 0;
}

static void tear_down(struct node *node)
{
    if (!node)
        return;
    tear_down(node->left);
    tear_down(node->right);
    free(node);
}

static uint64_t live_once(unsigned depth)
{
    uint64_t total = 0;
    struct node *tree = build(depth);
    for (unsigned i = 0; i < WALKS; i++)
        total += sum(tree);
    tear_down(tree);
    return total;
}

int main(int argc, char **argv)
{
    (void)argc;
    unsigned depth = (unsigned)argument_number(argv, 1, usage);
    uint64_t tree_nodes = (2u << depth) - 1;
    uint64_t trees = argument_number(argv, 2, usage) / tree_nodes;
    struct node *kept = build(depth);
    uint64_t expected = live_once(depth);
    bool all_equal = true;
    uint64_t start_ns = cpu_ns();
    for (uint64_t i = 0; i < trees; i++)
        all_equal &= live_once(depth) == expected;
    report_time(argv, trees * tree_nodes, cpu_ns() - start_ns);
    tear_down(kept);
    return all_equal ? 0 : 1;
}
