// What an operator does: watch, replay, back up, configure, keep keys.
import { Node, devAccounts } from "./lib/node.mjs";
import { assert, check } from "./lib/suite.mjs";

/** {name: value} of the samples, and the names that have a TYPE. */
async function metrics(node) {
  const res = await fetch(`${node.url}/metrics`);
  assert.equal(res.status, 200);
  assert.match(res.headers.get("content-type"), /^text\/plain; version=0\.0\.4/);
  const types = new Set();
  const values = {};
  for (const line of (await res.text()).trimEnd().split("\n")) {
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (type) types.add(type[1]);
    if (line.startsWith("#")) continue;
    const sample = /^([a-z][a-z0-9_]*)(\{[a-z]+="[^"]*"\})? (-?\d+)$/.exec(line);
    assert.ok(sample, `not a sample: ${line}`);
    assert.ok(types.has(sample[1]) || types.has(sample[1].replace(/_(bucket|sum|count)$/, "")), `no TYPE: ${line}`);
    values[sample[1] + (sample[2] ?? "")] = Number(sample[3]);
  }
  return values;
}

async function watched() {
  const node = await Node.start();
  const [alice, bob] = devAccounts(node);
  for (let i = 0; i < 5; i++)
    await node.rpc("eth_sendTransaction", [{ from: alice.address, to: bob.address, value: "0x1", gas: "0x5208" }]);
  await node.call("foo_bar");
  const m = await metrics(node);
  for (const stage of ["recover", "execute", "seal", "log_sync", "send_to_durable"])
    assert.ok(m[`callipter_node_${stage}_us_count`] >= 1, stage);
  assert.equal(m.callipter_node_txs_total, 5);
  assert.equal(m.callipter_node_gas_total, 5 * 21000);
  assert.equal(m.callipter_node_send_to_durable_us_count, 5);
  assert.equal(m['callipter_node_send_to_durable_us_bucket{le="+Inf"}'], 5);
  assert.equal(m['callipter_rpc_calls_total{method="eth_sendTransaction"}'], 5);
  assert.equal(m['callipter_rpc_calls_total{method="unknown"}'], 1);
  assert.equal(m.callipter_rpc_errors_total, 1);
  assert.equal(m.callipter_state_durable_block, Number(await node.rpc("eth_blockNumber")));
  assert.ok(m.callipter_rpc_connections >= 1);
  for (const path of ["/livez", "/readyz"]) {
    const res = await fetch(node.url + path);
    assert.deepEqual([res.status, await res.text()], [200, "ok\n"]);
  }
  await node.stop();
}

export async function run() {
  await check("ops: metrics, livez, readyz", watched);
}
