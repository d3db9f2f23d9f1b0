# SPDX-License-Identifier: LGPL-2.1-or-later
# Turns the samples of bench.sh into tables: medians, the ratio of poolmalloc to the best peer of
# the row, geometric means. Reads, tab separated,
#     row  kind  allocator  time   workload  operations  ns  peak_bytes
#     row  kind  allocator  value  label     number
#     row  kind  allocator  fail
# Variables: allocators (their names, in the order of the columns), results (file for the medians).

BEGIN {
    FS = OFS = "\t"
    allocator_count = split(allocators, allocator, " ")
    ours = "poolmalloc"
}

!($1 in kind) { kind[$1] = $2; row[++row_count] = $1 }

$4 == "time" { sample("ns", $1, $3, $7); sample("peak", $1, $3, $8) }

$4 == "value" {
    name = $1 ": " $5
    if (!(name in seen_value)) { seen_value[name] = 1; value_name[++value_count] = name }
    sample("value", name, $3, $6)
}

$4 == "fail" { failures[$1 " under " $3]++ }

function sample(what, name, who, number,    key) {
    key = what SUBSEP name SUBSEP who
    samples[key, ++count[key]] = number + 0
}

# Median of the samples, or -1 if there are none.
function median(what, name, who,    key, n, i, j, number, sorted) {
    key = what SUBSEP name SUBSEP who
    n = count[key]
    if (n == 0)
        return -1
    for (i = 1; i <= n; i++) {
        number = samples[key, i]
        for (j = i - 1; j > 0 && sorted[j] > number; j--)
            sorted[j + 1] = sorted[j]
        sorted[j + 1] = number
    }
    return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

function label(text) { return sprintf("%-" name_width "s", text) }

function heading(title,    i, line) {
    line = label("")
    for (i = 1; i <= allocator_count; i++)
        line = line sprintf(" %11s", allocator[i])
    printf "\n%s\n%s   ratio  best peer\n", title, line
}

# Prints numbers[1..], one per allocator (-1: none), and the ratio of ours to the best peer, which
# is returned (-1: none).
function print_line(text, numbers, scale, digits,    i, best, ratio, line) {
    best = ratio = -1
    line = label(text)
    for (i = 1; i <= allocator_count; i++) {
        line = line (numbers[i] < 0 ? sprintf(" %11s", "-") \
                                    : sprintf(" %11." digits "f", numbers[i] / scale))
        if (allocator[i] != ours && numbers[i] >= 0 && (best < 0 || numbers[i] < numbers[best]))
            best = i
    }
    for (i = 1; i <= allocator_count; i++)
        if (allocator[i] == ours && numbers[i] >= 0 && best > 0 && numbers[best] > 0)
            ratio = numbers[i] / numbers[best]
    print line (ratio < 0 ? sprintf("%8s", "-") : sprintf("%8.2f", ratio)) "  " allocator[best]
    return ratio
}

# Fills numbers with the medians of a row; returns how many allocators have one.
function medians(what, name, numbers,    i, present) {
    for (i = 1; i <= allocator_count; i++) {
        numbers[i] = median(what, name, allocator[i])
        present += numbers[i] >= 0
    }
    return present
}

# Fills means with each allocator's geometric mean over the rows of the kinds named that every
# allocator finished; returns how many these are.
function geometric_means(kinds, what, means,    i, j, rows, numbers) {
    for (j = 1; j <= allocator_count; j++)
        means[j] = 0
    for (i = 1; i <= row_count; i++) {
        if (kind[row[i]] !~ kinds || medians(what, row[i], numbers) < allocator_count)
            continue
        rows++
        for (j = 1; j <= allocator_count; j++)
            means[j] += log(numbers[j])
    }
    for (j = 1; j <= allocator_count; j++)
        means[j] = rows ? exp(means[j] / rows) : -1
    return rows
}

# A table over all rows of one kind; rows where ours is more than `limit` times the best peer are
# named below it.
function table(title, which, what, scale, digits, limit,    i, rows, above, numbers) {
    for (i = 1; i <= row_count; i++) {
        if (kind[row[i]] != which)
            continue
        if (!rows++)
            heading(title)
        medians(what, row[i], numbers)
        if (print_line(row[i], numbers, scale, digits) > limit)
            above = above " " row[i]
    }
    if (rows > 1) {
        rows = geometric_means("^" which "$", what, numbers)
        print_line("geometric mean of " rows, numbers, scale, digits)
    }
    if (above)
        print "above " limit " of the best peer:" above
}

# The geometric means over every row above, first allocator = 1.
function summary(    rows, numbers) {
    heading("All rows together, " allocator[1] " = 1")
    rows = geometric_means("^(call|start|program)$", "ns", numbers)
    print_line("time, " rows " rows", numbers, numbers[1], 3)
    rows = geometric_means("^(call|start|program)$", "peak", numbers)
    print_line("peak memory, " rows " rows", numbers, numbers[1], 3)
}

function values_table(    i, numbers) {
    if (!value_count)
        return
    name_width = 52
    heading("Numbers of their own")
    for (i = 1; i <= value_count; i++) {
        medians("value", value_name[i], numbers)
        print_line(value_name[i], numbers, 1, 2)
    }
}

function write_results(    i, j) {
    print "row", "kind", "allocator", "what", "median" > results
    for (i = 1; i <= row_count; i++)
        for (j = 1; j <= allocator_count; j++) {
            print row[i], kind[row[i]], allocator[j], "ns",
                median("ns", row[i], allocator[j]) > results
            print row[i], kind[row[i]], allocator[j], "peak_bytes",
                median("peak", row[i], allocator[j]) > results
        }
    for (i = 1; i <= value_count; i++)
        for (j = 1; j <= allocator_count; j++)
            print value_name[i], "value", allocator[j], "value",
                median("value", value_name[i], allocator[j]) > results
}

END {
    name_width = 23
    table("Time, ns per operation", "call", "ns", 1, 1, 1.1)
    table("Peak memory, MiB", "call", "peak", 1048576, 1, 1.15)
    table("Start-up: CPU time, ms", "start", "ns", 1000000, 3, 1.1)
    table("Start-up: peak memory, MiB", "start", "peak", 1048576, 2, 1.1)
    table("Programs: CPU time, ms", "program", "ns", 1000000, 1, 1.1)
    table("Programs: peak memory, MiB", "program", "peak", 1048576, 1, 1.15)
    summary()
    values_table()
    for (name in failures) {
        printf "failed: %s, %d times (see errors.txt)\n", name, failures[name]
        failed = 1
    }
    write_results()
    exit failed
}
