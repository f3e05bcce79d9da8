import { isMessage, type Message } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** No message of the contract comes near these numbers. */
const NUMBERS = { varint: 4_001, text: 4_002 };

/** Adds a number and a text that no reader knows to a message and to every message in it. Returns the message. */
export function addUnknownFields<M extends Message>(message: M): M {
  message.$unknown = [
    { no: NUMBERS.varint, wireType: WireType.Varint, data: new BinaryWriter().int32(7).finish() },
    {
      no: NUMBERS.text,
      wireType: WireType.LengthDelimited,
      data: new BinaryWriter().string("from a later version").finish(),
    },
  ];
  for (const value of Object.values(message)) {
    for (const each of Array.isArray(value) ? value : [value]) if (isMessage(each)) addUnknownFields(each);
  }
  return message;
}
