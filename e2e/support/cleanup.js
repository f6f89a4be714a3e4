// What a test file started ends with it: servers, browsers, folders.
//
//   after(cleanUp);
//   onCleanUp(() => server.close());

const undone = [];

/** Remembers how to undo something. What was started last ends first. */
export function onCleanUp(undo) {
  undone.push(undo);
}

export async function cleanUp() {
  while (undone.length > 0) await undone.pop()();
}
