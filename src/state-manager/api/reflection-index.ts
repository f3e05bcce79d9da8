import {
  type DescEnum,
  type DescExtension,
  type DescFile,
  type DescMessage,
  type DescService,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { getOrCreate } from "./get-or-create.js";

/** Finds the .proto files behind names: everything gRPC reflection answers from. */
export class ReflectionIndex {
  /** Fully qualified names, sorted. */
  readonly serviceNames: readonly string[];
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();
  readonly #extensions = new Map<string, Map<number, DescFile>>();
  readonly #encoded = new Map<DescFile, Uint8Array>();

  /** `files` are those no service imports. */
  constructor(services: readonly DescService[], files: readonly DescFile[]) {
    this.serviceNames = services.map(({ typeName }) => typeName).sort();
    for (const service of services) this.#addFile(service.file);
    for (const file of files) this.#addFile(file);
  }

  file(name: string): DescFile | undefined {
    return this.#files.get(name);
  }

  /**
   * The file that declares a message, enum, enum value, service, method, field, oneof or extension. An enum's values stand in the scope
   * around it, as in C++: `reconcile.v1.SOME_VALUE`. Tools also ask for `reconcile.v1.SomeEnum.SOME_VALUE`.
   */
  symbol(name: string): DescFile | undefined {
    return this.#symbols.get(name.replace(/^\./, ""));
  }

  extension(extendee: string, number: number): DescFile | undefined {
    return this.#extensions.get(extendee)?.get(number);
  }

  /** Undefined when there is no such message. */
  extensionNumbers(extendee: string): readonly number[] | undefined {
    const numbers = this.#extensions.get(extendee);
    if (numbers === undefined) return this.#symbols.has(extendee) ? [] : undefined;
    return [...numbers.keys()];
  }

  /** The file and what it imports, encoded, without the files in `sent`, which grows: a stream gets a file once. */
  closure(file: DescFile, sent: Set<DescFile>): readonly Uint8Array[] {
    const found: Uint8Array[] = [this.#encode(file)];
    sent.add(file);
    for (const dependency of file.dependencies)
      if (!sent.has(dependency)) found.push(...this.closure(dependency, sent));
    return found;
  }

  #encode(file: DescFile): Uint8Array {
    return getOrCreate(this.#encoded, file, () => toBinary(FileDescriptorProtoSchema, file.proto));
  }

  #addFile(file: DescFile): void {
    if (this.#files.has(file.proto.name)) return;
    this.#files.set(file.proto.name, file);
    for (const message of file.messages) this.#addMessage(message);
    for (const declared of file.enums) this.#addEnum(declared);
    for (const extension of file.extensions) this.#addExtension(extension);
    for (const service of file.services) {
      this.#symbols.set(service.typeName, file);
      for (const { name } of service.methods) this.#symbols.set(`${service.typeName}.${name}`, file);
    }
    for (const dependency of file.dependencies) this.#addFile(dependency);
  }

  #addMessage(message: DescMessage): void {
    this.#symbols.set(message.typeName, message.file);
    for (const { name } of [...message.fields, ...message.oneofs]) {
      this.#symbols.set(`${message.typeName}.${name}`, message.file);
    }
    for (const declared of message.nestedEnums) this.#addEnum(declared);
    for (const nested of message.nestedMessages) this.#addMessage(nested);
    for (const extension of message.nestedExtensions) this.#addExtension(extension);
  }

  #addEnum({ typeName, file, values }: DescEnum): void {
    this.#symbols.set(typeName, file);
    const scope = typeName.slice(0, typeName.lastIndexOf(".") + 1);
    for (const { name } of values) {
      this.#symbols.set(scope + name, file);
      this.#symbols.set(`${typeName}.${name}`, file);
    }
  }

  #addExtension(extension: DescExtension): void {
    this.#symbols.set(extension.typeName, extension.file);
    const numbers = getOrCreate(this.#extensions, extension.extendee.typeName, () => new Map<number, DescFile>());
    numbers.set(extension.number, extension.file);
  }
}
