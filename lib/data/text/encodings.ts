/** Any Unicode encoding with a byte order mark, as UTF-8. Without a mark bytes are taken for UTF-8. Errors say what is wrong, not where. */
type Chunks = AsyncIterable<Uint8Array>;
type Decode = (bytes: Uint8Array, last: boolean) => string;

/** Throws for a lone surrogate and for half a character at the end. */
function utf16(littleEndian: boolean): Decode {
  const decoder = new TextDecoder(littleEndian ? 'utf-16le' : 'utf-16be', { fatal: true, ignoreBOM: true });
  return (bytes, last) => decoder.decode(bytes, { stream: !last });
}

function utf32(littleEndian: boolean): Decode {
  let rest = new Uint8Array();
  return (bytes, last) => {
    const all = new Uint8Array(Buffer.concat([rest, bytes]));
    const view = new DataView(all.buffer);
    let text = '';
    for (let at = 0; at + 4 <= all.length; at += 4) {
      const c = view.getUint32(at, littleEndian);
      if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) throw new RangeError('no character');
      text += String.fromCodePoint(c);
    }
    rest = all.slice(all.length - (all.length % 4));
    if (last && rest.length) throw new RangeError('half a character');
    return text;
  };
}

/** The longer marks first: that of UTF-16 begins that of UTF-32. */
const MARKS: [name: string, mark: number[], decoder: (() => Decode) | null][] = [
  ['UTF-32', [0xff, 0xfe, 0, 0], () => utf32(true)],
  ['UTF-32', [0, 0, 0xfe, 0xff], () => utf32(false)],
  ['UTF-16', [0xff, 0xfe], () => utf16(true)],
  ['UTF-16', [0xfe, 0xff], () => utf16(false)],
  ['UTF-8', [0xef, 0xbb, 0xbf], null],
];

/** Throws for NUL characters: no text has them, but UTF-16 and UTF-32 without a mark are full of them. */
function checkNul(bytes: Uint8Array, before: number): void {
  const at = bytes.indexOf(0);
  if (at >= 0)
    throw new Error(
      `expected text; got a NUL character at byte ${before + at}: it is UTF-16 or UTF-32 without a byte order mark, or no text; convert it to UTF-8`,
    );
}

/** The bytes in UTF-8, without a byte order mark at the beginning. */
export async function* asUtf8(chunks: Chunks): AsyncGenerator<Uint8Array, void, undefined> {
  let head: Uint8Array | null = new Uint8Array();
  let decode: Decode | null = null;
  let [encoding, read] = ['UTF-8', 0];
  const checked = (bytes: Uint8Array): Uint8Array => {
    checkNul(bytes, read);
    read += bytes.length;
    return bytes;
  };
  const converted = (bytes: Uint8Array, last = false): Uint8Array => {
    if (!decode) return checked(bytes);
    try {
      return checked(Buffer.from(decode(bytes, last)));
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
      throw new Error(
        `expected ${encoding}, as its byte order mark says; got other bytes: convert it to UTF-8`,
      );
    }
  };
  const begun = (bytes: Uint8Array): Uint8Array => {
    const [name, mark, decoder] =
      MARKS.find(([, signs]) => signs.every((sign, i) => bytes[i] === sign)) ??
      (['UTF-8', [], null] as const);
    [encoding, decode, head] = [name, decoder?.() ?? null, null];
    return converted(bytes.subarray(mark.length));
  };
  for await (const chunk of chunks) {
    if (head === null) yield converted(chunk);
    else if ((head = Buffer.concat([head, chunk])).length >= 4) yield begun(head);
  }
  if (head?.length) yield begun(head);
  if (decode) yield converted(new Uint8Array(), true);
}
