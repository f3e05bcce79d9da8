// Puts the .proto files of gRPC health and reflection where buf.yaml looks for them. They come from npm packages, because
// the Buf registry is not needed for anything else here.
import { cpSync, mkdirSync } from "node:fs";

const target = "node_modules/.proto/grpc";
const sources = [
  ["node_modules/grpc-health-check/proto/health/v1/health.proto", "health/v1/health.proto"],
  ["node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto", "reflection/v1/reflection.proto"],
  [
    "node_modules/@grpc/reflection/build/proto/grpc/reflection/v1alpha/reflection.proto",
    "reflection/v1alpha/reflection.proto",
  ],
];
for (const [from, to] of sources) {
  mkdirSync(`${target}/${to}`.replace(/\/[^/]*$/, ""), { recursive: true });
  cpSync(from, `${target}/${to}`);
}
