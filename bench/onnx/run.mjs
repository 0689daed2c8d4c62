// SPDX-License-Identifier: Apache-2.0
// One network in ONNX Runtime: says "ready", then runs once for every line on stdin and prints the
// milliseconds of wall time and of all threads. Arguments: ONNX file, input (raw float32), height,
// width, threads, file for the last output (raw float32).
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import ort from "onnxruntime-node";

const [network, input, height, width, threads, output] = process.argv.slice(2);
const session = await ort.InferenceSession.create(network, {
  executionProviders: ["cpu"],
  executionMode: "sequential",
  graphOptimizationLevel: "all",
  interOpNumThreads: 1,
  intraOpNumThreads: Number(threads),
});
const bytes = readFileSync(input);
const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
const image = new ort.Tensor("float32", values, [1, 3, Number(height), Number(width)]);

console.log(`ready ${ort.env.versions.node}`);
let last;
for await (const _ of createInterface({ input: process.stdin })) {
  const processor = process.cpuUsage();
  const start = process.hrtime.bigint();
  const result = await session.run({ image });
  const wall = Number(process.hrtime.bigint() - start) / 1e6;
  const { user, system } = process.cpuUsage(processor);
  console.log(wall, (user + system) / 1e3);
  last = result.depth.data;
}
if (last) writeFileSync(output, new Uint8Array(last.buffer, last.byteOffset, last.byteLength));
