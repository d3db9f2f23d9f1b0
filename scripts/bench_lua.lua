-- SPDX-License-Identifier: LGPL-2.1-or-later
-- Allocation-heavy Lua: every table, string and closure is a block of the allocator.
local random = 1
local function below(bound)
    random = (random * 1103515245 + 12345) % 2147483648
    return random % bound
end

local function tree(depth)
    if depth == 0 then return {} end
    return { tree(depth - 1), tree(depth - 1) }
end

local words, total = {}, 0
for i = 1, 200000 do
    local word = "word" .. below(50000)
    words[word] = words[word] or {}
    table.insert(words[word], i)
end
for _ = 1, 12 do
    total = total + #tree(14)
end
local parts = {}
for word, places in pairs(words) do
    parts[#parts + 1] = word:upper() .. #places
end
table.sort(parts)
print(total, #parts, #table.concat(parts, " "))
