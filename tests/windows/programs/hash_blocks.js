// SPDX-License-Identifier: MIT
// Four worker threads of Node hash blocks that they take from a shared counter, and make garbage by it.
// The sum that is printed does not depend on who took which.
'use strict';

const { Worker, isMainThread, workerData, parentPort } = require('worker_threads');
const { createHash } = require('crypto');

const BLOCKS = 400, THREADS = 4;

function hashOf(block) {
    let data = Buffer.alloc(4096, block & 255);
    for (let i = 0; i < 20; i++)
        data = Buffer.concat([createHash('sha256').update(data).digest(), data]);
    return createHash('md5').update(data).digest('hex');
}

function main() {
    const next = new Int32Array(new SharedArrayBuffer(4));
    const hashes = new Array(BLOCKS);
    let running = THREADS;
    for (let i = 0; i < THREADS; i++) {
        const worker = new Worker(__filename, { workerData: next });
        worker.on('message', ([block, hash]) => { hashes[block] = hash; });
        worker.on('exit', (status) => {
            process.exitCode ||= status;
            if (--running === 0)
                console.log(`${BLOCKS} blocks`, createHash('sha256').update(hashes.join()).digest('hex'));
        });
    }
}

if (isMainThread)
    main();
else
    for (let block; (block = Atomics.add(workerData, 0, 1)) < BLOCKS;)
        parentPort.postMessage([block, hashOf(block)]);
