-- SPDX-License-Identifier: LGPL-2.1-or-later
-- An in-memory database: inserts, an index, joins and updates.
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, kind INTEGER, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120000)
INSERT INTO item SELECT i, 'item' || (i * 7919 % 120000), i % 97, hex(zeroblob(i % 60)) FROM n;
CREATE INDEX item_name ON item(name);
SELECT count(*), sum(length(note)) FROM item GROUP BY kind ORDER BY 2 LIMIT 3;
SELECT count(*) FROM item a JOIN item b ON b.name = 'item' || a.id WHERE a.kind < 40;
UPDATE item SET note = note || name WHERE kind % 3 = 0;
DELETE FROM item WHERE kind % 5 = 0;
SELECT group_concat(name, ',') FROM (SELECT name FROM item ORDER BY note, name LIMIT 2000);
