#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# gcc and g++: the same object files, and the C++ program they make runs alike.
source "${BASH_SOURCE%/*}/lib/same.bash"
need gcc g++

cat >"$work.c" <<'SOURCE'
#include <stdio.h>
#include <string.h>
#define ROW(n) static int f##n(int x) { int s = 0; for (int i = 0; i < x; i++) s += i * n; return s; }
ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6) ROW(7) ROW(8) ROW(9) ROW(10)
int main(void) { printf("%d\n", f1(3) + f2(4) + f3(5) + f4(6) + f5(7) + f6(8) + f7(9) + f8(1) + f9(2) + f10(3)); return 0; }
SOURCE
cat >"$work.cc" <<'SOURCE'
#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <new>
#include <regex>
#include <string>
#include <thread>
#include <vector>
struct alignas(128) wide { int value[32]; };
static void fill(std::map<std::string, std::vector<int>> &to, int seed)
{
    for (int i = 0; i < 20000; i++) to[std::to_string(i * seed % 997)].push_back(i);
}
int main()
{
    std::vector<std::map<std::string, std::vector<int>>> maps(4);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) threads.emplace_back(fill, std::ref(maps[i]), i + 3);
    for (auto &thread : threads) thread.join();
    size_t sum = 0;
    for (auto &map : maps) for (auto &[key, list] : map) sum += key.size() * list.size();
    std::cout << sum << '\n';
    auto one = std::make_unique<wide[]>(100);
    std::cout << (reinterpret_cast<size_t>(one.get()) % 128) << '\n';
    try { char *volatile huge = new char[~size_t(0) / 4 + maps.size()]; delete[] huge; }
    catch (const std::bad_alloc &) { std::cout << "bad_alloc\n"; }
    std::cout << (new (std::nothrow) char[~size_t(0) / 4 + maps.size()] == nullptr) << '\n';
    std::cout << std::regex_replace(std::string(200, 'a'), std::regex("(a)(a)"), "$2b") << '\n';
}
SOURCE
trap 'rm -rf "$work" "$work.c" "$work.cc"' EXIT

compile_c() { gcc -O2 -g -Wall -c "$work.c" -o c.o && gcc c.o -o c && ./c; }
compile_cc() { g++ -O1 -std=c++17 -pthread "$work.cc" -o cc && ./cc; }

same "gcc" compile_c
same "g++ and its program" compile_cc
finish
