import type { DescFile } from "@bufbuild/protobuf";
import type { DescriptorProto, EnumDescriptorProto } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { ServerReflection } from "../../../gen/grpc/reflection/v1/reflection_pb.js";
import { file_reconcile_v1_error } from "../../../gen/reconcile/v1/error_pb.js";
import { ReconcilerService } from "../../../gen/reconcile/v1/reconciler_service_pb.js";
import { ResourceService } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { ServerService } from "../../../gen/reconcile/v1/server_service_pb.js";
import { ReflectionIndex } from "../../../src/state-manager/api/reflection-index.js";

const services = [ResourceService, ReconcilerService, ServerService, ServerReflection];
const index = new ReflectionIndex(services, [file_reconcile_v1_error]);

function filesBehind(file: DescFile, found = new Set<DescFile>()): ReadonlySet<DescFile> {
  found.add(file);
  for (const dependency of file.dependencies) filesBehind(dependency, found);
  return found;
}

/** Every name that a .proto file declares, read from its descriptor alone. */
function* namesOf({ proto }: DescFile): Generator<string> {
  const root = proto.package === "" ? "" : `${proto.package}.`;
  for (const message of proto.messageType) yield* messageNames(root, message);
  for (const declared of proto.enumType) yield* enumNames(root, declared);
  for (const { name } of proto.extension) yield root + name;
  for (const service of proto.service) {
    yield root + service.name;
    for (const { name } of service.method) yield `${root}${service.name}.${name}`;
  }
}

function* messageNames(scope: string, message: DescriptorProto): Generator<string> {
  const own = `${scope}${message.name}.`;
  // The descriptors of map entries are made up by the compiler.
  if (message.options?.mapEntry) return;
  yield scope + message.name;
  for (const { name } of [...message.field, ...message.extension]) yield own + name;
  for (const { name } of message.oneofDecl) if (!name.startsWith("_")) yield own + name;
  for (const nested of message.nestedType) yield* messageNames(own, nested);
  for (const declared of message.enumType) yield* enumNames(own, declared);
}

function* enumNames(scope: string, { name, value }: EnumDescriptorProto): Generator<string> {
  yield scope + name;
  for (const { name: valueName } of value) {
    yield scope + valueName;
    yield `${scope}${name}.${valueName}`;
  }
}

test("finds the file of every name that is declared, values of enums too", () => {
  const files = new Set(services.flatMap(({ file }) => [...filesBehind(file)]).concat(file_reconcile_v1_error));
  const names = [...files].flatMap((file) => [...namesOf(file)].map((name) => [name, file.proto.name]));
  expect(names.length).toBeGreaterThan(300);
  expect(names.map(([name = ""]) => [name, index.symbol(name)?.proto.name])).toEqual(names);
});

test("finds a value of an enum under both of its names, with or without a leading dot", () => {
  const file = index.symbol("reconcile.v1.DependencyState");
  expect(file).toBeDefined();
  for (const name of ["DEPENDENCY_STATE_OK", "DependencyState.DEPENDENCY_STATE_OK"]) {
    expect(index.symbol(`reconcile.v1.${name}`)).toBe(file);
    expect(index.symbol(`.reconcile.v1.${name}`)).toBe(file);
  }
  expect(index.symbol("reconcile.v1.DEPENDENCY_STATE_NOTHING")).toBeUndefined();
});
