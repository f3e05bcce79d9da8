// Puts the .proto files of gRPC health and reflection where buf.yaml looks for them. They come from npm packages, because
// the Buf registry is not needed for anything else here.
import { cpSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";

const target = "node_modules/.proto/grpc";
const sources = {
  "health/v1/health.proto": "grpc-health-check/proto/health/v1/health.proto",
  "reflection/v1/reflection.proto": "@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto",
  "reflection/v1alpha/reflection.proto": "@grpc/reflection/build/proto/grpc/reflection/v1alpha/reflection.proto",
};

/** Copies them; again is safe. */
export function copyProtoDependencies() {
  for (const [file, source] of Object.entries(sources)) {
    mkdirSync(dirname(join(target, file)), { recursive: true });
    cpSync(join("node_modules", source), join(target, file));
  }
}
