// SPDX-License-Identifier: LGPL-2.1-or-later
// Something for a C++ compiler to chew on: many headers, many instantiations.
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <regex>
#include <string>
#include <unordered_map>
#include <vector>

template <int N> struct tower {
    std::map<int, std::vector<std::string>> floors[2];
    tower<N - 1> below;
    std::size_t count() const
    {
        return floors[N % 2].size() + below.count();
    }
};
template <> struct tower<0> {
    std::size_t count() const
    {
        return 0;
    }
};

int main(int argc, char **argv)
{
    std::unordered_map<std::string, std::function<int(int)>> calls;
    calls["twice"] = [](int x) { return 2 * x; };
    std::regex word("[a-z]+(-[a-z]+)*");
    std::vector<std::string> words(argv, argv + argc);
    std::sort(words.begin(), words.end());
    auto matching = std::count_if(words.begin(), words.end(), [&](const std::string &text) {
        return std::regex_match(text, word);
    });
    std::cout << matching + static_cast<long>(tower<120>().count()) + calls["twice"](argc) << '\n';
}
