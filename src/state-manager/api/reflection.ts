import type { DescFile, DescService, MessageInitShape } from "@bufbuild/protobuf";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import {
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
  ServerReflection as V1,
} from "../../../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as V1Alpha } from "../../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { file_reconcile_v1_error } from "../../../gen/reconcile/v1/error_pb.js";
import { ReflectionIndex } from "./reflection-index.js";

type Response = MessageInitShape<typeof ServerReflectionResponseSchema>;
type Answer = NonNullable<Response["messageResponse"]>;

/**
 * Serves gRPC reflection, so that `buf curl`, grpcurl and others need no .proto file. Both versions, which differ in their
 * package name alone: older tools ask for v1alpha only.
 */
export function addReflection(router: ConnectRouter, services: readonly DescService[]): void {
  // What errors carry is in no request or answer, and clients look it up to show it.
  const index = new ReflectionIndex([...services, V1, V1Alpha], [file_reconcile_v1_error]);
  router.service(V1, { serverReflectionInfo: (requests) => reflect(index, requests) });
  router.service(V1Alpha, {
    // Field for field the same messages, so a v1alpha request reads like a v1 one, and the answer is built from plain fields.
    serverReflectionInfo: (requests) =>
      reflect(
        index,
        requests as AsyncIterable<unknown> as AsyncIterable<ServerReflectionRequest>,
      ) as AsyncIterable<never>,
  });
}

async function* reflect(
  index: ReflectionIndex,
  requests: AsyncIterable<ServerReflectionRequest>,
): AsyncIterable<Response> {
  const sent = new Set<DescFile>();
  for await (const { host, messageRequest } of requests) {
    yield {
      validHost: host,
      originalRequest: { host, messageRequest },
      messageResponse: answerTo(index, messageRequest, sent),
    };
  }
}

function answerTo(
  index: ReflectionIndex,
  request: ServerReflectionRequest["messageRequest"],
  sent: Set<DescFile>,
): Answer {
  switch (request.case) {
    case "listServices":
      return { case: "listServicesResponse", value: { service: index.serviceNames.map((name) => ({ name })) } };
    case "fileByFilename":
      return fileAnswer(index, index.file(request.value), request.value, sent);
    case "fileContainingSymbol":
      return fileAnswer(index, index.symbol(request.value), request.value, sent);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = request.value;
      return fileAnswer(
        index,
        index.extension(containingType, extensionNumber),
        `${containingType} ${extensionNumber}`,
        sent,
      );
    }
    case "allExtensionNumbersOfType": {
      const numbers = index.extensionNumbers(request.value);
      if (numbers === undefined) return errorAnswer(Code.NotFound, `${request.value} not found`);
      const value = { baseTypeName: request.value, extensionNumber: [...numbers] };
      return { case: "allExtensionNumbersResponse", value };
    }
    case undefined:
      return errorAnswer(Code.InvalidArgument, "message_request must be set");
  }
}

function fileAnswer(index: ReflectionIndex, file: DescFile | undefined, what: string, sent: Set<DescFile>): Answer {
  if (file === undefined) return errorAnswer(Code.NotFound, `${what} not found`);
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: [...index.closure(file, sent)] } };
}

function errorAnswer(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
