// Verifies the lines of proof-dump (standard input) with @ethereumjs/mpt, each under its root alone, and that one changed byte
// makes a proof fail. Ends with `N passed, N failed`.
import { createInterface } from 'node:readline'
import { verifyMerkleProof } from '@ethereumjs/mpt'
import { bytesToHex, equalsBytes, hexToBytes } from '@ethereumjs/util'
import { keccak256 } from 'ethereum-cryptography/keccak.js'
import { RLP } from '@ethereumjs/rlp'

const TAMPER_EVERY = 50
let line = 0
let passed = 0
let failed = 0
const seen = { present: 0, absent: 0, embedded: 0, extension: 0 }

const bytes = (hex) => (hex === '-' ? new Uint8Array() : hexToBytes('0x' + hex))

// The library takes any nodes that hash to each other; that the first one is the root's is ours to see to.
async function prove(root, key, nodes) {
    if (nodes.length === 0 || !equalsBytes(keccak256(nodes[0]), root)) throw new Error('the first node is not the root')
    return await verifyMerkleProof(key, nodes)
}

// What shapes the sample has: a proof of presence that ends in a branch has its leaf embedded there.
function count(value, nodes) {
    const decoded = nodes.map((n) => RLP.decode(n))
    value.length > 0 ? seen.present++ : seen.absent++
    if (value.length > 0 && decoded[decoded.length - 1].length === 17) seen.embedded++
    if (decoded.some((n) => n.length === 2 && n[0][0] < 0x20)) seen.extension++
}

async function check(root, key, value, nodes) {
    const got = (await prove(root, key, nodes)) ?? new Uint8Array()
    if (!equalsBytes(got, value)) throw new Error(`value ${bytesToHex(got)}, not ${bytesToHex(value)}`)
    count(value, nodes)
    if (line % TAMPER_EVERY !== 0) return
    const changed = nodes.map((n) => n.slice())
    const at = changed[line % changed.length]
    at[line % at.length] ^= 1 + (line % 255)
    let proves = true
    try {
        const other = (await prove(root, key, changed)) ?? new Uint8Array()
        proves = equalsBytes(other, value)
    } catch {
        proves = false
    }
    if (proves) throw new Error('still verifies with a changed byte')
}

for await (const text of createInterface({ input: process.stdin })) {
    line++
    const [root, key, value, nodes] = text.split(' ')
    try {
        await check(bytes(root), bytes(key), bytes(value), nodes === '-' ? [] : nodes.split(',').map(bytes))
        passed++
    } catch (e) {
        failed++
        if (failed <= 10) console.log(`FAIL line ${line}, key ${key}: ${e.message}`)
    }
}
for (const [shape, n] of Object.entries(seen)) {
    console.log(`${shape}: ${n}`)
    if (n === 0) failed++
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 && passed > 0 ? 0 : 1)
