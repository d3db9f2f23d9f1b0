# SPDX-License-Identifier: LGPL-2.1-or-later
# Turns the samples of bench.sh into tables: medians, the ratio of poolmalloc to the best peer of the
# row, geometric means. Reads
#     row  kind  allocator  time   workload  operations  ns  peak_bytes
#     row  kind  allocator  value  label     number
#     row  kind  allocator  fail
# and writes the medians to the file named by -v results.

BEGIN {
    FS = OFS = "\t"
    allocator_count = split(allocators, allocator, " ")
    ours = "poolmalloc"
}

!($1 in seen_row) { seen_row[$1] = 1; row[++row_count] = $1; kind[$1] = $2 }

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

function cell(number, digits) {
    return number < 0 ? sprintf("%12s", "-") : sprintf("%12." digits "f", number)
}

function heading(title,    i, line) {
    printf "\n%s\n", title
    line = sprintf("%-28s", "")
    for (i = 1; i <= allocator_count; i++)
        line = line sprintf("%12s", allocator[i])
    print line "   ratio  best peer"
}

# One line of a table; returns the ratio to the best peer, or -1.
function table_line(name, what, scale, digits,    i, number, best, best_name, own, line, ratio) {
    best = own = ratio = -1
    line = sprintf("%-28s", name)
    for (i = 1; i <= allocator_count; i++) {
        number = median(what, name, allocator[i])
        line = line cell(number < 0 ? number : number / scale, digits)
        if (allocator[i] == ours)
            own = number
        else if (number >= 0 && (best < 0 || number < best)) {
            best = number
            best_name = allocator[i]
        }
    }
    if (own >= 0 && best > 0) {
        ratio = own / best
        line = line sprintf("%8.2f  ", ratio)
    } else
        line = line sprintf("%8s  ", "-")
    print line best_name
    return ratio
}

# A table over all rows of one kind; the geometric mean counts rows that every allocator finished.
function table(title, which, what, scale, digits, limit,
               i, j, n, number, complete, sum, rows, over, line, best, headed) {
    for (i = 1; i <= row_count; i++) {
        if (kind[row[i]] != which)
            continue
        if (!headed++)
            heading(title)
        if (table_line(row[i], what, scale, digits) > limit)
            over = over " " row[i]
        complete = 1
        for (j = 1; j <= allocator_count; j++)
            if (median(what, row[i], allocator[j]) <= 0)
                complete = 0
        if (!complete)
            continue
        rows++
        for (j = 1; j <= allocator_count; j++)
            sum[j] += log(median(what, row[i], allocator[j]))
    }
    if (!rows)
        return
    line = sprintf("%-28s", "geometric mean of " rows)
    best = 0
    for (j = 1; j <= allocator_count; j++) {
        number = exp(sum[j] / rows)
        line = line cell(number / scale, digits)
        if (allocator[j] == ours)
            n = number
        else if (!best || number < best) {
            best = number
            title = allocator[j]
        }
    }
    print line (n && best ? sprintf("%8.2f  ", n / best) : sprintf("%8s  ", "-")) title
    if (over)
        print "above " limit " of the best peer:" over
}

function values_table(    i) {
    heading("Numbers of their own (the best peer is the lowest)")
    for (i = 1; i <= value_count; i++)
        table_line(value_name[i], "value", 1, 2)
}

function write_results(    i, j, who) {
    print "row", "kind", "allocator", "ns_per_operation", "peak_bytes" > results
    for (i = 1; i <= row_count; i++)
        for (j = 1; j <= allocator_count; j++) {
            who = allocator[j]
            if (median("ns", row[i], who) >= 0)
                print row[i], kind[row[i]], who, median("ns", row[i], who), \
                    median("peak", row[i], who) > results
        }
    for (i = 1; i <= value_count; i++)
        for (j = 1; j <= allocator_count; j++)
            print value_name[i], "value", allocator[j], median("value", value_name[i], allocator[j]), \
                "-" > results
}

END {
    table("Time, ns per operation", "call", "ns", 1, 1, 1.1)
    table("Peak memory, MiB", "call", "peak", 1048576, 1, 1.15)
    table("Start-up: time, ms", "start", "ns", 1000000, 3, 1.1)
    table("Start-up: peak memory, MiB", "start", "peak", 1048576, 2, 1.1)
    table("Programs: time, ms", "program", "ns", 1000000, 1, 1.1)
    table("Programs: peak memory, MiB", "program", "peak", 1048576, 1, 1.15)
    if (value_count)
        values_table()
    for (name in failures) {
        printf "failed: %s, %d times (see errors.txt)\n", name, failures[name]
        failed = 1
    }
    write_results()
    exit failed
}
