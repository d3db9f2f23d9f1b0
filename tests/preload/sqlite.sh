#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# sqlite3: tables, indexes, joins, a transaction rolled back, VACUUM; the database file too.
source "${BASH_SOURCE%/*}/lib/same.bash"
need sqlite3

database() {
    sqlite3 test.db <<'SQL'
PRAGMA journal_mode = WAL;
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, size INTEGER, body BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
    INSERT INTO item SELECT i, 'item-' || (i * 7919 % 40009), i * 16807 % 1000, zeroblob(i % 300) FROM n;
CREATE INDEX by_name ON item(name);
CREATE INDEX by_size ON item(size, name);
BEGIN; DELETE FROM item WHERE size < 500; ROLLBACK;
UPDATE item SET body = CAST(name || size AS BLOB) WHERE id % 3 = 0;
DELETE FROM item WHERE id % 5 = 0;
SELECT count(*), sum(size), sum(length(body)), min(name), max(name) FROM item;
SELECT a.name, count(*) FROM item a JOIN item b ON a.size = b.size GROUP BY a.id ORDER BY 2 DESC, 1 LIMIT 5;
SELECT group_concat(name, '') FROM (SELECT name FROM item ORDER BY name DESC LIMIT 2000);
VACUUM;
PRAGMA integrity_check;
SQL
    sqlite3 test.db .dump | cksum
}

same "sqlite3" database
finish
