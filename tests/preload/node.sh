#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# node, where it is installed: objects, JSON, compression in its thread pool, worker threads.
source "${BASH_SOURCE%/*}/lib/same.bash"
need node

cat >"$work.js" <<'SCRIPT'
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const crypto = require('crypto'), zlib = require('zlib');
const rows = (seed) => Array.from({ length: 20000 }, (_, i) => ({ id: i, name: 'n' + (i * seed) % 7919 }));
const digest = (data) => crypto.createHash('sha256').update(data).digest('hex');
if (!isMainThread) {
    parentPort.postMessage([workerData, digest(JSON.stringify(rows(workerData)))]);
} else {
    const text = JSON.stringify(rows(3));
    console.log(text.length, digest(text), JSON.parse(text).length);
    const pending = [1, 2, 3, 4].map((level) => new Promise((done) =>
        zlib.gzip(text, { level }, (error, data) => done(zlib.gunzipSync(data).toString() === text))));
    pending.push(...[5, 7, 11].map((workerData) => new Promise((done) =>
        new Worker(__filename, { workerData }).on('message', done))));
    Promise.all(pending).then((results) => console.log(JSON.stringify(results)));
}
SCRIPT
trap 'rm -rf "$work" "$work.js"' EXIT

same "node script" node "$work.js"
finish
